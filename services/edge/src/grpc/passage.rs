//! The answer of a call on its way through: watched to its end, and cut at its deadline.
//!
//! A stream that breaks off must not look complete, and an HTTP/2 reset says little: whatever ends the
//! answer early ends it with trailers that say why.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame};
use tokio::time::Sleep;
use weft_call::{Code, Deadline, Error, MeshReason};
use weft_transport::ForwardBody;

use crate::{error::grpc_status, record::Observation};

/// An answer on its way through.
pub(super) struct Passage {
    messages: ForwardBody,
    observation: Observation,
    deadline: Option<Pin<Box<Sleep>>>,
    stands_alone: bool,
    ended: bool,
}

impl Passage {
    pub(super) fn new(messages: ForwardBody, observation: Observation, deadline: Option<Deadline>, stands_alone: bool) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.instant())));
        Self { messages, observation, deadline, stands_alone, ended: false }
    }

    fn cut(&mut self, error: &Error) -> Frame<Bytes> {
        self.ended = true;
        self.messages = ForwardBody::empty();
        self.observation.fail(error);
        let status = grpc_status(error, &self.observation.arrival.request_id, self.stands_alone);
        let mut trailers = status.into_http::<ForwardBody>().into_parts().0.headers;
        trailers.remove(header::CONTENT_TYPE);
        Frame::trailers(trailers)
    }
}

impl Body for Passage {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.messages).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.ended = true;
                    self.observation.finish(code(trailers).unwrap_or(Code::Unknown), None);
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(Some(Err(broken))) => {
                let error = Error::new(MeshReason::UpstreamUnavailable, "the domain's answer broke off").with_source(broken);
                return Poll::Ready(Some(Ok(self.cut(&error))));
            }
            Poll::Ready(None) => {
                self.ended = true;
                // Trailers-only answers were written down when they came; any other ends with trailers.
                self.observation.finish(Code::Unknown, None);
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        match self.deadline.as_mut().map(|deadline| deadline.as_mut().poll(context)) {
            Some(Poll::Ready(())) => {
                let error = Error::new(MeshReason::DeadlineSpent, "the call took longer than it may");
                Poll::Ready(Some(Ok(self.cut(&error))))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.messages.is_end_stream()
    }
}

/// The code in headers or trailers, if they are the end of an answer.
pub(super) fn code(trailers: &HeaderMap) -> Option<Code> {
    let number = trailers.get("grpc-status")?.to_str().ok()?.parse().ok();
    Some(number.map_or(Code::Unknown, Code::from_number))
}
