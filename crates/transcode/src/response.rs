//! The body of a response.

use crate::error::{Error, Reason};
use crate::options::PrintOptions;
use crate::router::Binding;
use crate::schema::{FieldIndex, Kind, MessageId, Schema, Shape};
use crate::wire;
use crate::wire_to_json::{field_to_json, wire_to_json};

/// The body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseBody<'w> {
    /// JSON, appended to the buffer.
    Json,
    /// The bytes of a `google.api.HttpBody`, as they are.
    Raw {
        /// Its content type; empty when the service named none.
        content_type: &'w str,
        /// Its data.
        data: &'w [u8],
    },
}

impl Binding {
    /// Whether responses are bytes of a type that the service names (`google.api.HttpBody`), and not JSON.
    pub fn gives_raw_body(&self, schema: &Schema) -> bool {
        match self.response_body {
            None => schema.is_http_body(self.output),
            Some(index) => is_raw_field(schema, index),
        }
    }

    /// Makes the body of a response message: all of it, or the field that the rule names as `response_body`. JSON is
    /// appended to `out`.
    ///
    /// # Errors
    /// See [`wire_to_json`].
    pub fn response_body<'w>(
        &self,
        schema: &Schema,
        wire: &'w [u8],
        options: &PrintOptions,
        out: &mut Vec<u8>,
    ) -> Result<ResponseBody<'w>, Error> {
        match self.response_body {
            None if schema.is_http_body(self.output) => http_body(wire),
            None => wire_to_json(schema, self.output, wire, options, out).map(|()| ResponseBody::Json),
            Some(index) if is_raw_field(schema, index) => {
                let number = schema.field(index).number;
                http_body(last_field(wire, number)?)
            }
            Some(index) => {
                field_to_json(schema, self.output, schema.field(index), wire, options, out).map(|()| ResponseBody::Json)
            }
        }
    }
}

fn is_raw_field(schema: &Schema, index: FieldIndex) -> bool {
    let field = schema.field(index);
    field.kind == Kind::Message && field.shape == Shape::Singular && schema.is_http_body(MessageId(field.target))
}

/// Reads `google.api.HttpBody`: content_type = 1, data = 2.
fn http_body(wire: &[u8]) -> Result<ResponseBody<'_>, Error> {
    let content_type = std::str::from_utf8(last_field(wire, 1)?);
    let content_type = content_type.map_err(|_| at("contentType", Reason::InvalidUtf8))?;
    Ok(ResponseBody::Raw { content_type, data: last_field(wire, 2)? })
}

/// The last value of a field that has a length; empty when there is none.
fn last_field(bytes: &[u8], number: u32) -> Result<&[u8], Error> {
    let refuse = |reason| at("", reason);
    let (mut pos, mut last) = (0, &bytes[..0]);
    while pos < bytes.len() {
        let tag = wire::tag(bytes, &mut pos).map_err(refuse)?;
        if tag == (number << 3 | wire::LEN) {
            let end = wire::length(bytes, &mut pos).map_err(refuse)?;
            last = &bytes[std::mem::replace(&mut pos, end)..end];
        } else {
            wire::skip(bytes, &mut pos, tag, 100).map_err(refuse)?;
        }
    }
    Ok(last)
}

fn at(path: &str, reason: Reason) -> Error {
    Error::new(reason, path.to_owned(), None)
}
