//! What a domain answers, message by message.
//!
//! A call that fails says so in its trailers, or in its headers if it has no message. Whatever else ends an answer (a
//! connection that broke, an answer that is no gRPC, the deadline) is a failure too: nothing that is cut looks whole.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Response, header};
use http_body::Body;
use tokio::time::Sleep;
use weft_call::{Code, Deadline, Error, MeshReason, Result};
use weft_transport::{ForwardBody, error_from_status};

use super::framing::Deframer;

/// What a domain answers.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Messages,
}

/// The messages of an answer. The stream ends with the first error, or without one if the call succeeded.
pub(crate) struct Messages {
    body: ForwardBody,
    deframer: Deframer,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The first item, where somebody has waited for it.
    first: Option<Result<Bytes>>,
    trailers: HeaderMap,
    ended: bool,
}

impl Answer {
    /// Reads the head of an answer whose messages have at most `limit` bytes.
    pub(crate) fn read(response: Response<ForwardBody>, limit: usize, deadline: Option<Deadline>) -> Result<Self> {
        let (parts, body) = response.into_parts();
        if let Some(outcome) = outcome(&parts.headers) {
            // An answer without messages has all in its trailers, which come as its headers.
            let messages = Messages::ended(outcome, parts.headers);
            return Ok(Self { headers: HeaderMap::new(), messages });
        }
        let is_grpc =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        if !parts.status.is_success() || !is_grpc {
            let what = format!("HTTP status {} without a gRPC status", parts.status);
            return Err(Error::new(by_http(parts.status.as_u16()), "the domain's answer is no gRPC").with_source(what));
        }
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.instant())));
        let (deframer, trailers) = (Deframer::new(limit), HeaderMap::new());
        let messages = Messages { body, deframer, deadline, first: None, trailers, ended: false };
        Ok(Self { headers: parts.headers, messages })
    }

    /// The one message of an answer that has one, and the trailers.
    pub(crate) async fn only_message(mut self) -> Result<(HeaderMap, Bytes, HeaderMap)> {
        let message = self.messages.only().await?;
        Ok((self.headers, message, self.messages.trailers))
    }
}

impl Messages {
    fn ended(outcome: Result<()>, trailers: HeaderMap) -> Self {
        let (body, deframer, first) = (ForwardBody::empty(), Deframer::new(0), outcome.err().map(Err));
        Self { body, deframer, deadline: None, first, trailers, ended: true }
    }

    /// The one message of an answer that has one.
    pub(crate) async fn only(&mut self) -> Result<Bytes> {
        let count = |what: &str| Error::new(MeshReason::Internal, "internal error").with_source(format!("the answer has {what}"));
        let message = self.next().await.ok_or_else(|| count("no message"))??;
        match self.next().await {
            None => Ok(message),
            Some(Ok(_)) => Err(count("more than one message")),
            Some(Err(error)) => Err(error),
        }
    }

    /// Waits a little for the first message, so that a call which fails at once can be answered by the failure alone.
    pub(crate) async fn settle(&mut self, patience: Duration) -> Result<()> {
        match tokio::time::timeout(patience, self.next()).await {
            Ok(Some(Err(error))) => Err(error),
            Ok(first) => {
                self.first = first;
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// The first message, if it has come and was not taken.
    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.first.as_ref().and_then(|first| first.as_ref().ok())
    }

    /// What came behind the last message, gRPC's own included.
    pub(crate) fn take_trailers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.trailers)
    }

    fn end(&mut self, outcome: Result<()>) -> Poll<Option<Result<Bytes>>> {
        self.ended = true;
        // What has ended is let go at once: the domain may still be sending.
        self.body = ForwardBody::empty();
        Poll::Ready(outcome.err().map(Err))
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match self.deframer.next() {
                Ok(Some(envelope)) if envelope.flags == 0 => return Poll::Ready(Some(Ok(envelope.message))),
                // No compression was offered.
                Ok(Some(_)) => return self.end(Err(Error::internal("a message of the answer is compressed"))),
                Ok(None) => {}
                Err(error) => {
                    let large = Error::new(MeshReason::MessageTooLarge, "a message of the answer is larger than the limit");
                    return self.end(Err(large.with_source(error)));
                }
            }
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.deframer.push(data),
                    Err(frame) => {
                        self.trailers = frame.into_trailers().unwrap_or_default();
                        let outcome = outcome(&self.trailers).unwrap_or_else(|| Err(broken("no status in the trailers")));
                        let whole = !self.deframer.is_amid_message();
                        return self.end(outcome.and_then(|()| if whole { Ok(()) } else { Err(broken("half a message")) }));
                    }
                },
                Some(Err(error)) => return self.end(Err(broken(error))),
                None => return self.end(Err(broken("no trailers"))),
            }
        }
    }
}

impl Stream for Messages {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(item) = self.poll_body(context) {
            return Poll::Ready(item);
        }
        match self.deadline.as_mut().map(|deadline| deadline.as_mut().poll(context)) {
            Some(Poll::Ready(())) => self.end(Err(Error::new(MeshReason::DeadlineSpent, "the call took longer than it may"))),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }
}

/// How a call ended, if these headers or trailers say so.
pub(crate) fn outcome(trailers: &HeaderMap) -> Option<Result<()>> {
    let status = trailers.get("grpc-status")?;
    if status == "0" {
        return Some(Ok(()));
    }
    let unreadable = || Error::without_reason(Code::Unknown, "the domain's status cannot be read");
    Some(Err(tonic::Status::from_header_map(trailers).map_or_else(unreadable, |status| error_from_status(&status))))
}

fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(MeshReason::UpstreamUnavailable, "the domain's answer broke off").with_source(cause)
}

/// "HTTP to gRPC Status Code Mapping" of the gRPC repository, as far as the mesh has reasons for it.
fn by_http(status: u16) -> MeshReason {
    match status {
        404 => MeshReason::MethodUnknown,
        429 | 502..=504 => MeshReason::UpstreamUnavailable,
        _ => MeshReason::Internal,
    }
}
