//! Weaves path, query and body into the request message.
//!
//! The wire format makes this simple: the encodings of two halves of a message, one behind the other, encode the
//! whole. So the body is translated, and the fields from path and query follow it; where both set a field, the later
//! one, the path's, holds, as `http.proto` demands of `body: "*"`.

mod body;
mod parameters;
mod query;

pub use body::JsonStream;
use parameters::{Parameters, SetError};

use crate::error::Error;
use crate::json_to_wire::{json_to_field, json_to_mask, json_to_wire};
use crate::options::{ReadOptions, UnknownFields};
use crate::router::{Body, Match};
use crate::schema::{Field, FieldIndex, Form, Kind, MessageId, Schema, Shape};
use crate::wire;

/// How requests are read.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// How the body's JSON is read.
    pub json: ReadOptions,
    /// Query parameters that name no field.
    pub unknown_parameters: UnknownFields,
    /// Query parameters that are none of the request's, such as `access_token`.
    pub ignored_parameters: Vec<String>,
    /// `+` in a query is a space, as browsers write it.
    pub plus_is_space: bool,
    /// A `PATCH` whose body is one field fills an absent `update_mask` with the fields that the body holds.
    pub patch_masks: bool,
    /// Most query parameters.
    pub max_parameters: usize,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            json: ReadOptions::default(),
            unknown_parameters: UnknownFields::Refuse,
            ignored_parameters: Vec::new(),
            plus_is_space: true,
            patch_masks: true,
            max_parameters: 1_000,
        }
    }
}

/// Why a request was refused; each is the caller's mistake (400), but [`RequestError::TooLarge`] (413).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A part of the path does not fit its field.
    #[error("path: {0}")]
    Path(Error),
    /// A query parameter does not fit its field.
    #[error("query: {0}")]
    Query(Error),
    /// The name of a query parameter is not percent-encoded UTF-8.
    #[error("query: not percent-encoded UTF-8")]
    QueryEncoding,
    /// The value of a query parameter is not percent-encoded UTF-8.
    #[error("query: {0} is not percent-encoded UTF-8")]
    ParameterEncoding(String),
    /// A query parameter names no field of the request. Its name is shown when it looks like one.
    #[error("query: unknown parameter {0}")]
    UnknownParameter(String),
    /// A query parameter names a field that path or body set.
    #[error("query: {0} is set by the path or the body")]
    BoundParameter(String),
    /// A query parameter names a map, or a message that a text cannot spell.
    #[error("query: {0} cannot be a query parameter: it is a map or a message")]
    UnsuitableParameter(String),
    /// A query parameter of a field that is not repeated occurs twice.
    #[error("query: {0} occurs twice")]
    RepeatedParameter(String),
    /// Two query parameters set fields of one oneof.
    #[error("query: {0} is in a oneof with another parameter")]
    ConflictingParameter(String),
    /// More query parameters than the limit.
    #[error("query: too many parameters")]
    TooManyParameters,
    /// The body does not fit the request.
    #[error("body: {0}")]
    Body(Error),
    /// The method takes no body.
    #[error("body: this method takes none")]
    UnexpectedBody,
    /// The body is larger than the limit.
    #[error("body: too large")]
    TooLarge,
}

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    None,
    Json,
    /// `google.api.HttpBody`: bytes as they are.
    Raw,
}

/// A request on its way from HTTP to gRPC.
///
/// For a method that takes one message, [`RequestBuilder::push`] gathers the body and [`RequestBuilder::finish`] gives
/// the message. For one that takes a stream, the body is an array of messages or messages one behind the other, each
/// is given as soon as it is whole, and the fields of path and query go to the first.
#[derive(Debug)]
pub struct RequestBuilder<'s> {
    schema: &'s Schema,
    options: &'s RequestOptions,
    input: MessageId,
    body: Body,
    content: Content,
    content_type: String,
    /// The wire of path and query, until a message has taken it.
    woven: Vec<u8>,
    /// The field to fill with what the body holds.
    mask: Option<FieldIndex>,
    streaming: bool,
    stream: JsonStream,
    buffer: Vec<u8>,
}

impl<'s> RequestBuilder<'s> {
    /// Reads path and query. `query` is what stands behind the `?`, undecoded.
    pub fn new(
        schema: &'s Schema,
        matched: &Match<'_>,
        query: Option<&str>,
        options: &'s RequestOptions,
    ) -> Result<Self, RequestError> {
        let binding = matched.binding;
        let mut parameters = Parameters::new(schema);
        if let Some(query) = query {
            query::read(schema, binding, query, options, &mut parameters)?;
        }
        for (variable, value) in binding.variables.iter().zip(&matched.captures) {
            parameters.set(&variable.path, value, &options.json).map_err(SetError::in_path)?;
        }
        let input = schema.get(binding.input.0);
        let mask = schema.field_by_name(input, b"update_mask").map(|index| FieldIndex(input.first + index as u32));
        let derives = options.patch_masks && binding.rule().method == "PATCH";
        let mask = mask.filter(|mask| {
            derives && is_mask(schema, schema.field(*mask)) && is_object(schema, binding.body) && !parameters.holds(*mask)
        });
        let mut woven = Vec::new();
        parameters.encode(&mut woven);
        let method = binding.method(schema);
        Ok(Self {
            schema,
            options,
            input: binding.input,
            body: binding.body,
            content: content(schema, binding.input, binding.body),
            content_type: String::new(),
            woven,
            mask,
            streaming: method.client_streaming,
            stream: JsonStream::new(options.json.limits.input),
            buffer: Vec::new(),
        })
    }

    /// Whether the body is taken as it is (`google.api.HttpBody`) and not as JSON.
    pub fn takes_raw_body(&self) -> bool {
        self.content == Content::Raw
    }

    /// The `Content-Type` of a body that is taken as it is.
    pub fn content_type(&mut self, content_type: &str) {
        content_type.clone_into(&mut self.content_type);
    }

    /// Bytes of the body that were taken and belong to a message that is not whole.
    pub fn begun(&self) -> usize {
        self.buffer.len() + self.stream.begun()
    }

    /// Takes the next piece of the body, cut anywhere, and gives each message of a stream that it completes.
    pub fn push(&mut self, piece: &[u8], mut message: impl FnMut(Vec<u8>)) -> Result<(), RequestError> {
        if piece.is_empty() {
            return Ok(());
        }
        match self.content {
            Content::None => Err(RequestError::UnexpectedBody),
            Content::Raw if self.streaming => {
                message(self.raw(piece));
                Ok(())
            }
            Content::Json if self.streaming => {
                let mut stream = std::mem::take(&mut self.stream);
                let result = stream.push(piece, |json| self.json(json).map(&mut message));
                self.stream = stream;
                result
            }
            Content::Raw | Content::Json => {
                if self.buffer.len() + piece.len() > self.options.json.limits.input {
                    return Err(RequestError::TooLarge);
                }
                self.buffer.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Ends the body. Gives the message of a method that takes one, and what remains of a stream.
    pub fn finish(mut self, mut message: impl FnMut(Vec<u8>)) -> Result<(), RequestError> {
        match self.content {
            Content::Json if self.streaming => {
                let mut stream = std::mem::take(&mut self.stream);
                stream.finish(|json| self.json(json).map(&mut message))
            }
            Content::Raw if self.streaming => Ok(()),
            Content::None => {
                message(self.woven);
                Ok(())
            }
            Content::Raw => {
                let body = std::mem::take(&mut self.buffer);
                message(self.raw(&body));
                Ok(())
            }
            Content::Json => {
                let body = std::mem::take(&mut self.buffer);
                message(self.json(&body)?);
                Ok(())
            }
        }
    }

    /// The message of a method that takes one, whose whole body is there. It is appended to `wire`, so that what frames
    /// it can stand before it. On an error `wire` is as it was.
    pub fn message(mut self, body: &[u8], wire: &mut Vec<u8>) -> Result<(), RequestError> {
        match self.content {
            Content::None if !body.is_empty() => Err(RequestError::UnexpectedBody),
            Content::None => {
                wire.append(&mut self.woven);
                Ok(())
            }
            Content::Raw | Content::Json if body.len() > self.options.json.limits.input => Err(RequestError::TooLarge),
            Content::Raw => {
                wire.append(&mut self.raw(body));
                Ok(())
            }
            Content::Json => {
                let start = wire.len();
                self.json_to(body, wire).inspect_err(|_| wire.truncate(start))
            }
        }
    }

    /// The message of a JSON body. An empty body is the empty message.
    fn json(&mut self, json: &[u8]) -> Result<Vec<u8>, RequestError> {
        let mut wire = Vec::new();
        self.json_to(json, &mut wire)?;
        Ok(wire)
    }

    fn json_to(&mut self, json: &[u8], wire: &mut Vec<u8>) -> Result<(), RequestError> {
        let options = &self.options.json;
        let empty = json.iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        match self.body {
            _ if empty => {}
            Body::Field(index) => {
                let field = self.schema.field(index);
                let within = |error: Error| {
                    RequestError::Body(
                        error.within_field(self.schema.field_json_name(index), self.schema.field_original_name(field)),
                    )
                };
                json_to_field(self.schema, field, json, options, wire).map_err(within)?;
                if let Some(mask) = self.mask.take() {
                    self.derive_mask(mask, field, json, wire)?;
                }
            }
            Body::Whole | Body::None => {
                json_to_wire(self.schema, self.input, json, options, wire).map_err(RequestError::Body)?;
            }
        }
        wire.append(&mut self.woven);
        Ok(())
    }

    /// Adds the mask of the fields that the body holds.
    fn derive_mask(&self, mask: FieldIndex, body: &Field, json: &[u8], wire: &mut Vec<u8>) -> Result<(), RequestError> {
        let mut paths = Vec::new();
        json_to_mask(self.schema, MessageId(body.target), json, &self.options.json, &mut paths).map_err(RequestError::Body)?;
        put_field(self.schema.field(mask), &paths, wire);
        Ok(())
    }

    /// The message that carries `bytes` as its `HttpBody`.
    fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut http_body = Vec::with_capacity(bytes.len() + self.content_type.len() + 16);
        // google.api.HttpBody: content_type = 1, data = 2.
        for (number, value) in [(1, self.content_type.as_bytes()), (2, bytes)] {
            if !value.is_empty() {
                put_tag(number, &mut http_body);
                put_bytes(value, &mut http_body);
            }
        }
        let mut wire = match self.body {
            Body::Field(index) => {
                let mut wire = Vec::with_capacity(http_body.len() + 16);
                put_field(self.schema.field(index), &http_body, &mut wire);
                wire
            }
            Body::Whole | Body::None => http_body,
        };
        wire.append(&mut self.woven);
        wire
    }
}

fn content(schema: &Schema, input: MessageId, body: Body) -> Content {
    let raw = match body {
        Body::None => return Content::None,
        Body::Whole => schema.is_http_body(input),
        Body::Field(index) => {
            let field = schema.field(index);
            field.kind == Kind::Message && field.shape == Shape::Singular && schema.is_http_body(MessageId(field.target))
        }
    };
    if raw { Content::Raw } else { Content::Json }
}

fn is_mask(schema: &Schema, field: &Field) -> bool {
    field.kind == Kind::Message && field.shape == Shape::Singular && schema.get(field.target).form == Form::FieldMask
}

/// Whether the body is a field that JSON writes as an object of fields.
fn is_object(schema: &Schema, body: Body) -> bool {
    let Body::Field(index) = body else { return false };
    let field = schema.field(index);
    field.kind == Kind::Message && field.shape == Shape::Singular && schema.get(field.target).form == Form::Plain
}

fn put_tag(number: u32, wire: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | wire::LEN), wire);
}

fn put_bytes(bytes: &[u8], wire: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, wire);
    wire.extend_from_slice(bytes);
}

/// A message field and its content, as a group where the schema says so.
fn put_field(field: &Field, content: &[u8], wire: &mut Vec<u8>) {
    put_varint(field.tag.into(), wire);
    if field.kind == Kind::Group {
        wire.extend_from_slice(content);
        put_varint(u64::from(field.number << 3 | wire::END_GROUP), wire);
    } else {
        put_bytes(content, wire);
    }
}

fn put_varint(mut value: u64, wire: &mut Vec<u8>) {
    while value >= 0x80 {
        wire.push(value as u8 | 0x80);
        value >>= 7;
    }
    wire.push(value as u8);
}
