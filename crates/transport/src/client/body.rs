//! The bodies of requests and answers on a stream of HTTP/2.
//!
//! Rule: an answer frees the peer's window as it is read, so that nobody sends more than is wanted;
//! the parts of a request wait for the peer's window one at a time. Whoever drops the answer has
//! ended the call: what is left of the request is not sent, and the stream is reset.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::poll;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::Connection;

/// What is read of an answer.
pub(super) struct Answer {
    stream: RecvStream,
    data_is_over: bool,
    /// Ends the sending of the request.
    _request: Option<DropGuard>,
}

impl Answer {
    /// The answer to a request that is sent.
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, data_is_over: false, _request: None }
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let Some(data) = ready!(self.stream.poll_data(context)) else { return Poll::Ready(None) };
        Poll::Ready(Some(data.and_then(|data| {
            self.stream.flow_control().release_capacity(data.len())?;
            Ok(data)
        })))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_is_over {
            if let Some(data) = ready!(self.poll_data(context)) {
                return Poll::Ready(Some(data.map(Frame::data)));
            }
            self.data_is_over = true;
        }
        self.stream.poll_trailers(context).map(|trailers| trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

/// Sends a request part by part, and waits for the head of its answer.
pub(super) async fn exchange<B>(connection: Connection, request: Request<B>) -> Result<Response<Answer>, h2::Error>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let (head, mut body) = request.into_parts();
    let is_empty = body.is_end_stream();
    let (answer, mut sink) = connection.open(Request::from_parts(head, ()), is_empty)?;
    let guard = if is_empty {
        None
    } else {
        match poll!(body.frame()).map(|frame| frame.map(|frame| frame.map(Frame::into_data).map_err(drop))) {
            // Mostly this is all: it waits for the peer's windows there as well as in a task.
            Poll::Ready(Some(Ok(Ok(data)))) if body.is_end_stream() => {
                // Where the peer wants none of it, the answer says why.
                let _ = sink.send_data(data, true);
                None
            }
            Poll::Ready(first) => sending(Some(first), body, sink).await,
            Poll::Pending => sending(None, body, sink).await,
        }
    };
    Ok(answer.await?.map(|stream| Answer { _request: guard, ..Answer::new(stream) }))
}

/// What comes next of a body: data, trailers, its end or why it broke off.
type Part = Option<Result<Result<Bytes, Frame<Bytes>>, ()>>;

/// Sends a request's body, of which the first part may be there; what cannot be sent at once, in a task that ends with the
/// guard.
async fn sending<B>(first: Option<Part>, body: B, sink: SendStream<Bytes>) -> Option<DropGuard>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let given_up = CancellationToken::new();
    let mut sent = Box::pin(given_up.clone().run_until_cancelled_owned(send(first, body, sink)));
    // Mostly all of it is there.
    if poll!(sent.as_mut()).is_ready() {
        return None;
    }
    tokio::spawn(sent);
    Some(given_up.drop_guard())
}

async fn send<B: Body<Data = Bytes> + Unpin>(mut first: Option<Part>, mut body: B, mut sink: SendStream<Bytes>) {
    loop {
        let part = if let Some(first) = first.take() {
            first
        } else {
            tokio::select! {
                biased;
                // The peer wants no more: the answer says why.
                _ = poll_fn(|context| sink.poll_reset(context)) => return,
                frame = body.frame() => frame.map(|frame| frame.map(Frame::into_data).map_err(drop)),
            }
        };
        let is_last = body.is_end_stream();
        match part {
            Some(Ok(Ok(data))) => {
                if send_data(data, is_last, &mut sink).await {
                    return;
                }
            }
            // How it fails says nothing that the answer does not say.
            Some(Ok(Err(frame))) => return drop(sink.send_trailers(frame.into_trailers().unwrap_or_default())),
            None => return drop(sink.send_data(Bytes::new(), true)),
            // A request that breaks off must not look complete.
            Some(Err(())) => return sink.send_reset(Reason::CANCEL),
        }
    }
}

/// Sends a part once there is room for some of it; true if there is no more to be sent.
async fn send_data(data: Bytes, is_last: bool, sink: &mut SendStream<Bytes>) -> bool {
    if !data.is_empty() {
        // One byte: a claim to all of it would keep other streams from sending what they have.
        sink.reserve_capacity(1);
        while sink.capacity() == 0 {
            match poll_fn(|context| sink.poll_capacity(context)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return true,
            }
        }
    }
    sink.send_data(data, is_last).is_err() || is_last
}
