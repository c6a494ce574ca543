//! What passes on a call's streams, and how they end: for spans, metrics and log lines.
//!
//! A stream is told its end once: whole, by its error, or cancelled when nobody reads on.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tracing::Span;
use weft_call::{Error, MeshReason, Result, Streaming};
use weft_telemetry::record_messages;

/// The messages that have passed on a call. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed(Arc<[AtomicU64; 2]>);

/// Which way messages go, as this end of the call sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// To the other end.
    Sent = 0,
    /// From the other end.
    Received = 1,
}

impl Passed {
    /// The stream, with its messages counted.
    pub(crate) fn counting(&self, way: Way, stream: Streaming<Bytes>) -> Streaming<Bytes> {
        let passed = self.clone();
        Box::pin(stream.inspect(move |item| {
            if item.is_ok() {
                passed.0[way as usize].fetch_add(1, Ordering::Relaxed);
            }
        }))
    }

    /// Says on the span how many there were.
    pub(crate) fn record(&self, span: &Span) {
        let [sent, received] = [Way::Sent, Way::Received].map(|way| self.0[way as usize].load(Ordering::Relaxed));
        record_messages(span, sent, received);
    }
}

/// The stream; `end` is told of its error, or of none.
pub(crate) fn ending<F>(stream: Streaming<Bytes>, end: F) -> Streaming<Bytes>
where
    F: FnOnce(Option<&Error>) + Send + Unpin + 'static,
{
    Box::pin(Ending { stream, end: Some(end) })
}

struct Ending<F: FnOnce(Option<&Error>)> {
    stream: Streaming<Bytes>,
    end: Option<F>,
}

impl<F: FnOnce(Option<&Error>)> Ending<F> {
    fn end(&mut self, error: Option<&Error>) {
        if let Some(end) = self.end.take() {
            end(error);
        }
    }
}

impl<F: FnOnce(Option<&Error>) + Unpin> Stream for Ending<F> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(self.stream.poll_next_unpin(context));
        match &item {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.end(Some(error)),
            None => self.end(None),
        }
        Poll::Ready(item)
    }
}

impl<F: FnOnce(Option<&Error>)> Drop for Ending<F> {
    fn drop(&mut self) {
        if self.end.is_some() {
            self.end(Some(&Error::new(MeshReason::CallCancelled, "nobody reads the stream to its end")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::stream::iter;
    use weft_call::Code;

    use super::*;

    /// How the stream says that it ends when so many of its items are read.
    async fn told(items: Vec<Result<Bytes>>, read: usize) -> Vec<Option<Code>> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let mut stream = ending(Box::pin(iter(items)), move |error| {
            if let Ok(mut told) = telling.lock() {
                told.push(error.map(Error::code));
            }
        });
        for _ in 0..read {
            let _ = stream.next().await;
        }
        drop(stream);
        told.lock().map(|told| told.clone()).unwrap_or_default()
    }

    #[tokio::test]
    async fn an_end_is_told_once_and_as_it_was() {
        let message = || Ok(Bytes::from_static(b"x"));
        let broken = || Err(Error::new(MeshReason::UpstreamUnavailable, "gone"));
        assert_eq!(told(vec![message(), message()], 3).await, [None]);
        assert_eq!(told(vec![message(), broken()], 3).await, [Some(Code::Unavailable)]);
        assert_eq!(told(vec![message(), message()], 1).await, [Some(Code::Cancelled)]);
    }
}
