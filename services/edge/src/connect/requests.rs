//! The framed messages of a request, as gRPC has them.
//!
//! A message goes on as soon as it is whole, and the next is read when the server has taken it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use weft_call::{Code, Error, MeshReason, Result};
use weft_transcode::ReadOptions;

use super::codec::Translator;
use crate::{
    body::{Body, Lingering},
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
        Self { body, deframer: Deframer::new(limit), translator, packing, options, limit, fault }
    }

    /// The messages as they come, in gRPC's frames.
    pub(super) fn into_body(self) -> Body {
        let frames = stream::unfold(Some(self), |requests| async {
            let mut requests = requests?;
            match requests.next().await? {
                Ok(message) => Some((Ok(Frame::data(message)), Some(requests))),
                Err(error) => {
                    requests.fault.set(error.into());
                    Some((Err(Unusable.into()), None))
                }
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    async fn translate(&self, envelope: Envelope) -> Result<Bytes> {
        let malformed = |why: &'static str| Error::new(MeshReason::MalformedMessage, why);
        let message = match (envelope.flags, self.packing) {
            (0, _) => envelope.message,
            (PACKED, Some(_)) if envelope.message.is_empty() => envelope.message,
            (PACKED, Some(packing)) => packing.unpack(&envelope.message, self.limit).await?,
            (PACKED, None) => {
                // What the specification asks for, though the client is to blame.
                return Err(Error::without_reason(Code::Internal, "a message is packed, and no packing was named"));
            }
            _ => return Err(malformed("a message has flags that are not known")),
        };
        self.translator.to_frame(&message, &self.options).await
    }

    /// The next message; none at the end.
    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            match self.deframer.next() {
                Ok(Some(envelope)) => return Some(self.translate(envelope).await),
                Ok(None) => {}
                Err(error) => {
                    let too_large = Error::new(MeshReason::MessageTooLarge, "a message of the request is too large");
                    return Some(Err(too_large.with_source(error)));
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.deframer.push(data);
                    }
                }
                Some(Err(error)) => {
                    let cut = Error::new(MeshReason::CallCancelled, "the body ended too early").with_source(error);
                    return Some(Err(cut));
                }
                None if self.deframer.is_amid_message() => {
                    let cut = Error::new(MeshReason::MalformedMessage, "the last message of the request is not whole");
                    return Some(Err(cut));
                }
                None => return None,
            }
        }
    }
}
