//! Descriptors in, OpenAPI 3.1 out. No I/O.
//!
//! # Problem
//!
//! Whoever calls an API by REST wants to know its paths, parameters, bodies, answers and failures, in a form that
//! programs read. A description that is written by hand is wrong the day after.
//!
//! # Rule
//!
//! Everything comes from what is enforced: paths, parameters and bodies from the `google.api.http` rules as
//! `weft-transcode` reads them, constraints from `buf.validate`, security, limits and repeats from `weft.mesh.v1.call`,
//! failures from the reasons of the contract and of the mesh, and the words from the comments. The same descriptors give
//! the same bytes.
//!
//! A schema shows the canonical JSON of protobuf. Requests may use its other spellings too (`null` for what is not set,
//! numbers as text, enum values as numbers, field names as in the contract); the document says so once, in its
//! description.
//!
//! # Recovery
//!
//! Descriptors that contradict themselves are refused with what is wrong; nothing is left out silently, save methods
//! without a route, which are not REST, and routes for HTTP methods that OpenAPI 3.1 has no place for.

mod answers;
mod bodies;
mod comments;
mod described;
mod document;
mod error;
mod examples;
mod json;
mod markdown;
mod operation;
mod parameters;
mod path;
mod policy;
mod rules;
mod schemas;
mod stream;

pub use document::{Document, Info};
pub use error::OpenApiError;
