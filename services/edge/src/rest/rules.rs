//! What a contract says of a method's REST form beside its routes: `weft.mesh.v1.rest`, in `proto/weft/mesh/v1/options.proto`.

use prost::Message;

use crate::error::EdgeError;

/// What a contract says of a method's REST form.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Rules {
    /// How a stream of answers is written where the client does not say.
    #[prost(enumeration = "StreamForm", tag = "1")]
    stream: i32,
    /// The data of the event that ends a stream of events.
    #[prost(string, tag = "2")]
    pub(crate) sse_end: String,
    /// `Cache-Control` of answers to GET.
    #[prost(string, tag = "3")]
    pub(crate) cache_control: String,
}

/// How a stream of answers is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum StreamForm {
    /// As an array.
    Unspecified = 0,
    /// A JSON array.
    Array = 1,
    /// A JSON value a line.
    Lines = 2,
    /// Server-sent events.
    Events = 3,
}

/// `google.protobuf.MethodOptions`, as far as the edge reads it.
#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    #[prost(message, optional, tag = "74301")]
    rest: Option<Rules>,
}

impl Rules {
    /// Reads them out of a method's encoded options.
    pub(crate) fn read(options: &[u8]) -> Result<Self, EdgeError> {
        Ok(MethodOptions::decode(options)?.rest.unwrap_or_default())
    }

    /// How a stream of answers is written where the client does not say.
    pub(crate) fn form(&self) -> StreamForm {
        self.stream()
    }
}
