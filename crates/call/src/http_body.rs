//! `google.api.HttpBody` (<https://google.aip.dev/127>): bytes of any type that travel as they are.

use bytes::Bytes;
use prost::Message;

use crate::{Validate, validation::Violations};

/// Bytes of any type. At the edge they are the HTTP body itself, and no JSON stands around them.
#[derive(Clone, PartialEq, Message)]
pub struct HttpBody {
    /// What the bytes are, as the header `Content-Type` says it.
    #[prost(string, tag = "1")]
    pub content_type: String,
    /// The bytes. In a stream each message holds the next piece.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
    /// What an application says beside them; it stays inside.
    #[prost(message, repeated, tag = "3")]
    pub extensions: Vec<prost_types::Any>,
}

impl HttpBody {
    /// Bytes of a type.
    pub fn new(content_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.into(), data: data.into(), extensions: Vec::new() }
    }
}

impl Validate for HttpBody {
    fn validate(&self, violations: &mut Violations) {
        violations.field("content_type", |violations| {
            violations.rule(!self.content_type.contains('\0'), "weft.no_nul", "must not contain NUL");
        });
    }
}
