//! What travels with a call and what comes back.
//!
//! The ground that generated contracts, domains and the mesh stand on: [`Call`], [`Principal`],
//! [`Scope`], [`Deadline`], [`Error`], [`Reply`] and the tables that a contract compiles to
//! ([`Contract`], [`MethodContract`]). It does no I/O and names neither an RPC library nor a
//! database, so that a domain written against it outlives both.
//!
//! A server is a [`Service`]: one method that takes a [`Call`] and an encoded message. A client
//! speaks to an [`Upstream`], which has the same shape. Whatever lies between the two (TLS, HTTP/2,
//! balancing, retries) is the business of the crates above.

mod assertion;
mod call;
mod clock;
mod code;
mod contract;
mod deadline;
pub mod dispatch;
mod enum_name;
mod error;
mod event;
mod http_body;
mod idempotency;
mod permission;
mod principal;
mod reason;
mod reply;
mod scope;
mod service;
mod soft_delete;
pub mod status;
mod trace;
pub mod transaction;
pub mod validation;

pub use assertion::Assertion;
pub use call::{Call, CallBuilder, Fence, RequestId, RequestIdError};
pub use clock::Clock;
pub use code::Code;
pub use contract::{
    Access, Audit, Calls, Client, Contract, Declares, HttpMethod, HttpRoute, Idempotency, Limit, LimitScope, MethodContract,
    MethodKind, PermissionContract, ReasonContract, Serves, ServiceContract,
};
pub use deadline::Deadline;
pub use error::{Error, FieldViolation, help_path};
pub use event::{Event, EventContract, TopicPattern, TopicPatternError};
pub use http_body::HttpBody;
pub use idempotency::{Answer, Digest, IdempotencyKey, IdempotencyKeyError, NoReplays, Records, Replays};
pub use permission::Permissions;
pub use principal::{Principal, ServiceAccount, User};
pub use reason::{MeshReason, Reason};
pub use reply::Reply;
pub use scope::{Scope, TenantId};
pub use service::{BoxFuture, Payload, Service, Streaming, Upstream};
pub use soft_delete::{Deletion, SoftDelete};
pub use trace::TraceContext;
pub use validation::Validate;

/// The result of a call, a rule or a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What generated code names; not for people.
#[doc(hidden)]
pub mod generated {
    pub use crate::enum_name::EnumName;
    /// The one message of the package that contracts exchange.
    pub mod google_api {
        pub use crate::http_body::HttpBody;
    }
    pub use bytes;
    pub use futures_util;
    pub use prost;
    pub use prost_types;
    pub use regex;
}
