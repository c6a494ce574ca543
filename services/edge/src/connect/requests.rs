//! The framed messages of a request, as gRPC has them.
//!
//! A message goes on as soon as it is whole, and the next is read when the server has taken it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use weft_call::{Code, Error, MeshReason, Result};
use weft_transcode::ReadOptions;

use super::codec::Translator;
use crate::{
    body::Lingering,
    encoding::Encoding,
    fault::{Fault, Unusable},
    front::Front,
    grpc::framing::{Deframer, Envelope},
};

/// The flag of a packed message.
pub(super) const PACKED: u8 = 1;

/// The requests of one call.
pub(super) struct Requests {
    body: Lingering,
    deframer: Deframer,
    translator: Arc<Translator>,
    packing: Option<Encoding>,
    options: ReadOptions,
    limit: usize,
    fault: Fault,
    ended: bool,
}

impl Requests {
    pub(super) fn new(
        front: &Front,
        translator: Arc<Translator>,
        packing: Option<Encoding>,
        fault: Fault,
        body: Lingering,
    ) -> Self {
        let (limit, options) = (front.settings.max_body, front.request_options.json);
        Self { body, deframer: Deframer::new(limit), translator, packing, options, limit, fault, ended: false }
    }

    fn translate(&self, envelope: Envelope) -> Result<Bytes> {
        let malformed = |why: &'static str| Error::new(MeshReason::MalformedMessage, why);
        let message = match (envelope.flags, self.packing) {
            (0, _) => envelope.message,
            (PACKED, Some(_)) if envelope.message.is_empty() => envelope.message,
            (PACKED, Some(packing)) => packing.unpack(&envelope.message, self.limit)?,
            (PACKED, None) => {
                // What the specification asks for, though the client is to blame.
                return Err(Error::without_reason(Code::Internal, "a message is packed, and no packing was named"));
            }
            _ => return Err(malformed("a message has flags that are not known")),
        };
        self.translator.to_frame(&message, &self.options)
    }

    /// The next message, in gRPC's frame; none at the end.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match self.deframer.next() {
                Ok(Some(envelope)) => return Poll::Ready(Some(self.translate(envelope))),
                Ok(None) => {}
                Err(error) => {
                    let too_large = Error::new(MeshReason::MessageTooLarge, "a message of the request is too large");
                    return Poll::Ready(Some(Err(too_large.with_source(error))));
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.deframer.push(data);
                    }
                }
                Some(Err(error)) => {
                    let cut = Error::new(MeshReason::CallCancelled, "the body ended too early").with_source(error);
                    return Poll::Ready(Some(Err(cut)));
                }
                None if self.deframer.is_amid_message() => {
                    let cut = Error::new(MeshReason::MalformedMessage, "the last message of the request is not whole");
                    return Poll::Ready(Some(Err(cut)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Body for Requests {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let message = ready!(self.poll_message(context));
        self.ended = !matches!(message, Some(Ok(_)));
        Poll::Ready(message.map(|message| {
            message.map(Frame::data).map_err(|error| {
                self.fault.set(error.into());
                Unusable.into()
            })
        }))
    }
}
