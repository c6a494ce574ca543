//! REST to gRPC and back: path templates, JSON and protobuf wire. No I/O.
//!
//! A proxy that speaks JSON to clients and gRPC to services knows its messages only at run time, from descriptors.
//! The usual answer is a dynamic message: a tree that is filled from one side and read out to the other. Here there is
//! none. [`Schema::from_descriptor_set`] turns descriptors into flat tables once; [`json_to_wire`] and
//! [`wire_to_json`] then walk the input once and write the output as they go.
//!
//! Around that stands what `google.api.http` asks for:
//!
//! - [`Router`]: HTTP method and path to a gRPC method, by every rule of the schema;
//! - [`RequestBuilder`]: path, query and body, in pieces of any size, woven into request messages;
//! - [`Binding::response_body`]: the response message, a field of it, or raw bytes.
//!
//! Rules, where specifications leave a choice: input is refused rather than guessed (unknown fields, repeated names,
//! parameters that path or body already set), unless an option says otherwise; every depth, size and count that input
//! controls has a limit; an error tells where and why but never repeats the input.
//!
//! ```
//! # use weft_transcode::*;
//! # fn translate(set: &[u8], json: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//! let schema = Schema::from_descriptor_set(set)?;
//! let order = schema.message("weft.orders.v1.Order").ok_or("no such message")?;
//! let mut wire = Vec::new();
//! json_to_wire(&schema, order, json, &ReadOptions::default(), &mut wire)?;
//! let mut text = Vec::new();
//! wire_to_json(&schema, order, &wire, &PrintOptions::default(), &mut text)?;
//! # Ok(text)
//! # }
//! ```

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::inline_always,
    reason = "wire formats are arithmetic on bits, and the hot path is a few small functions"
)]

mod error;
mod escape;
mod json_to_wire;
mod keys;
mod number;
mod options;
mod output;
mod percent;
mod request;
mod response;
mod router;
mod schema;
mod template;
mod well_known;
mod wire;
mod wire_to_json;

pub use error::{Error, Reason};
pub use json_to_wire::json_to_wire;
pub use options::{EnumCase, Limits, PrintOptions, ReadOptions, UnknownFields};
pub use request::{JsonStream, RequestBuilder, RequestError, RequestOptions};
pub use response::ResponseBody;
pub use router::{Binding, Match, RouteError, Router, RouterError};
pub use schema::{HttpRule, MessageId, Method, Schema, SchemaError};
pub use template::{Segment, Template, TemplateError, Variable};
pub use wire_to_json::wire_to_json;
