//! The framed messages of an answer, and the frame that ends them.
//!
//! The status of HTTP stands before the first message, so it says nothing of the outcome: that is in the last frame, and an
//! answer without one is not whole. The next message is taken from the server when the client has taken those before.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes};
use futures_util::Stream as _;
use http_body::{Body, Frame};
use weft_call::{Code, Error, Result};

use super::{codec::Translator, error, requests::PACKED};
use crate::{encoding::Encoding, fault::Fault, grpc::answer::Messages, grpc::framing, record::Observation};

/// Messages that are ready are written together up to about this size, in bytes.
const BATCH: usize = 16 * 1024;
/// Smaller messages are not worth packing, in bytes.
const WORTHWHILE: usize = 256;

/// The answers of one call.
pub(super) struct Answers {
    translator: Arc<Translator>,
    messages: Messages,
    packing: Option<Encoding>,
    /// Whether failures name the request.
    names_request: bool,
    ended: bool,
    fault: Fault,
    observation: Option<Observation>,
}

impl Answers {
    pub(super) fn new(translator: Arc<Translator>, messages: Messages, packing: Option<Encoding>, names_request: bool) -> Self {
        Self { translator, messages, packing, names_request, ended: false, fault: Fault::default(), observation: None }
    }

    /// Writes down how it ends; what goes wrong with the requests is why it fails.
    pub(super) fn watched(mut self, fault: Fault, observation: Observation) -> Self {
        (self.fault, self.observation) = (fault, Some(observation));
        self
    }

    fn write(&self, message: Bytes, out: &mut Vec<u8>) -> Result<()> {
        let message = self.translator.answer(message)?;
        let (flags, message) = match self.packing {
            Some(packing) if message.len() >= WORTHWHILE => (PACKED, packing.pack(&message).map_err(Error::internal)?.into()),
            _ => (0, message),
        };
        out.extend_from_slice(&framing::frame(flags, &message).ok_or_else(|| Error::internal("a message of more than 4 GiB"))?);
        Ok(())
    }

    /// Writes the frame that ends the answer.
    fn end(&mut self, failed: Option<Error>, out: &mut Vec<u8>) {
        self.ended = true;
        let failed = failed.map(|error| self.fault.take().map_or(error, |failure| failure.error));
        let id = self.observation.as_ref().filter(|_| self.names_request).map(|observation| &observation.arrival.request_id);
        out.put(error::end_of_stream(failed.as_ref(), id, Some(self.messages.take_trailers())));
        if let Some(observation) = &mut self.observation {
            match &failed {
                None => observation.finish(Code::Ok, None),
                Some(error) => observation.fail(error),
            }
        }
    }
}

impl Body for Answers {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut out = Vec::new();
        while out.len() < BATCH && !self.ended {
            match Pin::new(&mut self.messages).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(error) = self.write(message, &mut out) {
                        self.end(Some(error), &mut out);
                    }
                }
                Poll::Ready(Some(Err(error))) => self.end(Some(error), &mut out),
                Poll::Ready(None) => self.end(None, &mut out),
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(out.into()))))
    }
}
