//! How long a stream lasts: streams have no deadline, but an idle time and a lifetime.
//!
//! Problem: a stream whose other end has gone quietly is held for ever, and one that never ends keeps
//! its caller from ever reaching a new replica. Rule: a stream ends when no message has passed either
//! way for its idle time, when it has been open for its lifetime, or when its connection is about to
//! close; each with a reason of its own. Recovery: the caller opens another; after the end of a
//! lifetime or a connection it may at once.
//!
//! A peer that takes no messages off a stream keeps it from noticing its time: the server bounds that
//! by the age of connections.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weft_call::{Error, MeshReason, Result, Streaming};

use crate::tuning::StreamTuning;

/// The life of one stream, or of the two of a call that streams both ways. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StreamLife(Arc<Life>);

#[derive(Debug)]
struct Life {
    opened: Instant,
    tuning: StreamTuning,
    /// When the last message passed, in milliseconds after `opened`.
    last: AtomicU64,
    closing: CancellationToken,
}

impl StreamLife {
    /// Begins now. `closing` ends it before its time.
    pub(crate) fn begin(tuning: StreamTuning, closing: CancellationToken) -> Self {
        Self(Arc::new(Life { opened: Instant::now(), tuning, last: AtomicU64::new(0), closing }))
    }

    /// The stream whose messages keep the life from being idle.
    pub(crate) fn noting(&self, stream: Streaming<Bytes>) -> Streaming<Bytes> {
        let life = self.clone();
        Box::pin(stream.inspect(move |_| life.note()))
    }

    /// The stream, with the error at its end if its life is over before it is.
    pub(crate) fn bounding(&self, stream: Streaming<Bytes>) -> Streaming<Bytes> {
        let life = self.clone();
        Box::pin(Bounded { stream: Some(self.noting(stream)), over: Box::pin(async move { life.over().await }) })
    }

    /// Waits until the life is over, and says why.
    pub(crate) async fn over(&self) -> Error {
        let Life { opened, tuning, last, closing } = &*self.0;
        let expires = *opened + tuning.lifetime;
        loop {
            let idle = *opened + Duration::from_millis(last.load(Ordering::Relaxed)) + tuning.idle;
            let now = Instant::now();
            if now >= expires {
                return Error::new(MeshReason::StreamExpired, format!("the stream was open for {:?}", tuning.lifetime));
            }
            if now >= idle {
                return Error::new(MeshReason::StreamIdle, format!("no message passed for {:?}", tuning.idle));
            }
            tokio::select! {
                biased;
                () = closing.cancelled() => return Error::new(MeshReason::Draining, "the connection is closing"),
                () = sleep_until(expires.min(idle)) => {}
            }
        }
    }

    fn note(&self) {
        let after = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(after, Ordering::Relaxed);
    }
}

/// A stream that ends with its life.
struct Bounded {
    /// Nothing once it has ended: the last item of a stream is its first error.
    stream: Option<Streaming<Bytes>>,
    over: Pin<Box<dyn Future<Output = Error> + Send>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        if let Poll::Ready(item) = stream.poll_next_unpin(context) {
            if !matches!(item, Some(Ok(_))) {
                self.stream = None;
            }
            return Poll::Ready(item);
        }
        let over = self.over.as_mut().poll(context);
        over.map(|error| {
            self.stream = None;
            Some(Err(error))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TUNING: StreamTuning = StreamTuning { idle: Duration::from_secs(10), lifetime: Duration::from_mins(1) };

    fn messages() -> (mpsc::UnboundedSender<Result<Bytes>>, Streaming<Bytes>) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        (sender, Box::pin(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))))
    }

    fn reason(item: Option<Result<Bytes>>) -> Option<MeshReason> {
        item.and_then(Result::err).and_then(|error| error.reason())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_messages_ends_as_idle() {
        let (_sender, stream) = messages();
        let began = Instant::now();
        let mut stream = StreamLife::begin(TUNING, CancellationToken::new()).bounding(stream);
        assert_eq!(reason(stream.next().await), Some(MeshReason::StreamIdle));
        assert_eq!(began.elapsed(), TUNING.idle);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_of_either_way_keep_it_open_until_its_lifetime_is_over() {
        let life = StreamLife::begin(TUNING, CancellationToken::new());
        let ((asks, asked), (answers, answered)) = (messages(), messages());
        let (mut asked, mut answered) = (life.noting(asked), life.bounding(answered));
        let began = Instant::now();
        let talk = async {
            for round in 0_u32.. {
                tokio::time::sleep(6 * SECOND).await;
                let way = if round % 2 == 0 { &asks } else { &answers };
                let _ = way.send(Ok(Bytes::new()));
                if round % 2 == 0 {
                    let _ = asked.next().await;
                }
            }
        };
        let end = async {
            loop {
                if let Some(Err(error)) = answered.next().await {
                    return error.reason();
                }
            }
        };
        let ended = tokio::select! {
            biased;
            () = talk => None,
            reason = end => reason,
        };
        assert_eq!((ended, began.elapsed()), (Some(MeshReason::StreamExpired), TUNING.lifetime));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_closes_ends_its_streams() {
        let (_sender, stream) = messages();
        let closing = CancellationToken::new();
        let mut stream = StreamLife::begin(TUNING, closing.clone()).bounding(stream);
        closing.cancel();
        assert_eq!(reason(stream.next().await), Some(MeshReason::Draining));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_or_an_error_of_the_stream_itself_passes_through() {
        let (sender, stream) = messages();
        let mut stream = StreamLife::begin(TUNING, CancellationToken::new()).bounding(stream);
        let _ = sender.send(Ok(Bytes::from_static(b"x")));
        assert!(stream.next().await.is_some_and(|item| item.is_ok()));
        let _ = sender.send(Err(Error::new(MeshReason::Internal, "broken")));
        assert_eq!(reason(stream.next().await), Some(MeshReason::Internal));
        assert!(stream.next().await.is_none());
    }
}
