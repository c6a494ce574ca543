//! REST to gRPC and back: path templates, JSON and protobuf wire. No I/O.

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
pub use template::TemplateError;
pub use wire_to_json::wire_to_json;
