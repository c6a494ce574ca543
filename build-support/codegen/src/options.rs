//! The options that contracts carry, as Rust structs.
//!
//! The same messages as in `proto/weft/mesh/v1/options.proto` and `proto/google/api/http.proto`,
//! which are what people read. They stand here once more because the generator cannot be built from
//! what it generates.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use crate::Error;

/// `weft.mesh.v1.ServicePolicy`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServicePolicy {
    #[prost(string, repeated, tag = "1")]
    pub(crate) calls: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) permissions: Vec<Permission>,
    #[prost(string, tag = "3")]
    pub(crate) domain: String,
}

/// `weft.mesh.v1.Permission`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Permission {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) roles: Vec<String>,
}

/// `weft.mesh.v1.CallPolicy`
#[allow(clippy::struct_excessive_bools, reason = "the message of the contract has them")]
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CallPolicy {
    #[prost(bool, tag = "1")]
    pub(crate) public: bool,
    #[prost(bool, tag = "2")]
    pub(crate) authenticated: bool,
    #[prost(string, tag = "3")]
    pub(crate) permission: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) callers: Vec<String>,
    #[prost(bool, tag = "5")]
    pub(crate) any_of: bool,
    #[prost(string, repeated, tag = "6")]
    pub(crate) roles: Vec<String>,
    #[prost(string, tag = "7")]
    pub(crate) system: String,
    #[prost(message, optional, tag = "8")]
    pub(crate) deadline: Option<prost_types::Duration>,
    #[prost(enumeration = "Idempotency", tag = "9")]
    pub(crate) idempotency: i32,
    #[prost(message, repeated, tag = "10")]
    pub(crate) limit: Vec<Limit>,
    #[prost(enumeration = "Audit", tag = "11")]
    pub(crate) audit: i32,
    #[prost(string, repeated, tag = "12")]
    pub(crate) calls: Vec<String>,
    #[prost(bool, tag = "13")]
    pub(crate) replica: bool,
}

/// `weft.mesh.v1.Idempotency`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Idempotency {
    Unspecified = 0,
    Read = 1,
    Natural = 2,
    Keyed = 3,
    None = 4,
}

/// `weft.mesh.v1.Limit`
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Limit {
    #[prost(enumeration = "LimitScope", tag = "1")]
    pub(crate) per: i32,
    #[prost(uint32, tag = "2")]
    pub(crate) rate: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) burst: u32,
}

/// `weft.mesh.v1.LimitScope`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum LimitScope {
    Unspecified = 0,
    Tenant = 1,
    User = 2,
    Peer = 3,
    Address = 4,
}

/// `weft.mesh.v1.Audit`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Audit {
    Unspecified = 0,
    Read = 1,
    Write = 2,
    WriteAndRefused = 3,
}

/// `weft.mesh.v1.Event`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    #[prost(string, tag = "1")]
    pub(crate) topic: String,
    #[prost(string, tag = "2")]
    pub(crate) key: String,
    #[prost(string, tag = "3")]
    pub(crate) permission: String,
}

/// `weft.mesh.v1.SoftDelete`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SoftDelete {
    #[prost(message, optional, tag = "1")]
    pub(crate) keep: Option<prost_types::Duration>,
}

/// `google.api.HttpRule`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HttpRule {
    #[prost(string, tag = "2")]
    pub(crate) get: String,
    #[prost(string, tag = "3")]
    pub(crate) put: String,
    #[prost(string, tag = "4")]
    pub(crate) post: String,
    #[prost(string, tag = "5")]
    pub(crate) delete: String,
    #[prost(string, tag = "6")]
    pub(crate) patch: String,
    #[prost(string, tag = "7")]
    pub(crate) body: String,
    #[prost(message, optional, tag = "8")]
    pub(crate) custom: Option<CustomHttpPattern>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) additional_bindings: Vec<HttpRule>,
    #[prost(string, tag = "12")]
    pub(crate) response_body: String,
}

/// `google.api.CustomHttpPattern`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CustomHttpPattern {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) path: String,
}

/// The value of an option; `None` where it is not set, or no file imports it.
pub(crate) fn value(pool: &DescriptorPool, options: &DynamicMessage, option: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(option)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// An option that is a message.
pub(crate) fn message<M: Message + Default>(
    pool: &DescriptorPool,
    options: &DynamicMessage,
    option: &'static str,
) -> Result<Option<M>, Error> {
    match value(pool, options, option) {
        Some(Value::Message(message)) => {
            message.transcode_to().map(Some).map_err(|source| Error::ForeignOption { option, source })
        }
        _ => Ok(None),
    }
}

/// An option that is a yes or no.
pub(crate) fn is_true(pool: &DescriptorPool, options: &DynamicMessage, option: &str) -> bool {
    matches!(value(pool, options, option), Some(Value::Bool(true)))
}
