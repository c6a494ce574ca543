//! Messages as Connect has them, and as gRPC has them.

use std::sync::Arc;

use bytes::Bytes;
use weft_call::{Error, MethodContract, Result};
use weft_transcode::{MessageId, PrintOptions, ReadOptions, RequestError, json_to_wire, wire_to_json};

use crate::{aside, catalogue::Catalogue, grpc::framing, rest::refusal};

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Proto,
    Json,
}

/// Turns the messages of one method from a codec into gRPC's and back.
pub(super) struct Translator {
    catalogue: Arc<Catalogue>,
    codec: Codec,
    input: MessageId,
    output: MessageId,
}

impl Codec {
    pub(super) fn unary_type(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    pub(super) fn stream_type(self) -> &'static str {
        match self {
            Self::Proto => "application/connect+proto",
            Self::Json => "application/connect+json",
        }
    }
}

impl Translator {
    pub(super) fn new(catalogue: &Arc<Catalogue>, method: &MethodContract, codec: Codec) -> Result<Self> {
        let message = |name: &str| {
            let missing = || Error::internal(format!("no message {name}"));
            catalogue.schema.message(name).ok_or_else(missing)
        };
        let (input, output) = (message(method.input)?, message(method.output)?);
        Ok(Self { catalogue: Arc::clone(catalogue), codec, input, output })
    }

    /// A message of the client's, for gRPC.
    pub(super) async fn to_wire(&self, message: Bytes, options: &ReadOptions) -> Result<Bytes> {
        if self.codec == Codec::Proto {
            return Ok(message);
        }
        let mut wire = Vec::with_capacity(message.len());
        self.read(&message, options, &mut wire).await?;
        Ok(wire.into())
    }

    /// The same, in gRPC's frame.
    pub(super) async fn to_frame(&self, message: &[u8], options: &ReadOptions) -> Result<Bytes> {
        let too_long = || Error::internal("a message of more than 4 GiB");
        if self.codec == Codec::Proto {
            return framing::frame(0, message).ok_or_else(too_long);
        }
        let mut frame = framing::begin(message.len());
        self.read(message, options, &mut frame).await?;
        framing::seal(frame).ok_or_else(too_long)
    }

    async fn read(&self, text: &[u8], options: &ReadOptions, wire: &mut Vec<u8>) -> Result<()> {
        let read = || json_to_wire(&self.catalogue.schema, self.input, text, options, wire);
        aside::run(text.len(), read).await.map_err(|error| refusal::of(&RequestError::Body(error)))
    }

    /// A message of gRPC's, for the client.
    pub(super) fn answer(&self, message: Bytes) -> Result<Bytes> {
        if self.codec == Codec::Proto {
            return Ok(message);
        }
        let mut text = Vec::with_capacity(2 * message.len());
        let (schema, print) = (&self.catalogue.schema, PrintOptions::default());
        wire_to_json(schema, self.output, &message, &print, &mut text).map_err(Error::internal)?;
        Ok(text.into())
    }
}
