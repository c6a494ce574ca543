//! What a contract compiles to: static tables that both ends of a call read.
//!
//! `weft-codegen` writes one [`Contract`] for each package. Nothing here is built or changed while a
//! process runs; configuration may tighten what a table says and never widen it.

use std::{sync::Arc, time::Duration};

use crate::{
    Code, EventContract,
    service::{Service, Upstream},
};

/// A domain's contract: its services and the words it uses.
#[derive(Debug)]
pub struct Contract {
    /// The domain's name, as people and configuration say it: `orders`.
    pub domain: &'static str,
    /// The protobuf package: `weft.orders.v1`.
    pub package: &'static str,
    /// The services of the package.
    pub services: &'static [ServiceContract],
    /// The reasons that its errors carry.
    pub reasons: &'static [ReasonContract],
    /// The events that it publishes.
    pub events: &'static [EventContract],
    /// The encoded `google.protobuf.FileDescriptorSet` of the package and all that it imports,
    /// custom options and comments included.
    pub descriptor_set: &'static [u8],
}

/// One service of a contract.
#[derive(Debug)]
pub struct ServiceContract {
    /// The full protobuf name: `weft.orders.v1.Orders`.
    pub name: &'static str,
    /// The domain that serves it: `orders`.
    pub domain: &'static str,
    /// The full names of the services that it may call.
    pub calls: &'static [&'static str],
    /// Permissions that no method demands by itself but a handler asks for.
    pub permissions: &'static [PermissionContract],
    /// Its methods, in the order of the contract; `methods[i].index == i`.
    pub methods: &'static [MethodContract],
}

/// One method and its whole policy.
#[derive(Debug)]
pub struct MethodContract {
    /// Its place in [`ServiceContract::methods`].
    pub index: usize,
    /// The domain that serves it.
    pub domain: &'static str,
    /// The full protobuf name of its service.
    pub service: &'static str,
    /// Its name: `CreateOrder`.
    pub name: &'static str,
    /// Its gRPC path: `/weft.orders.v1.Orders/CreateOrder`.
    pub path: &'static str,
    /// The full protobuf name of the request message.
    pub input: &'static str,
    /// The full protobuf name of the answer message.
    pub output: &'static str,
    /// Which sides stream.
    pub kind: MethodKind,
    /// Who may call it.
    pub access: Access,
    /// Why it works across tenants, when it does: it then runs in [`crate::Scope::System`].
    pub system: Option<&'static str>,
    /// The longest that a call may take; every unary method has one.
    pub deadline: Option<Duration>,
    /// What a repeat of it does.
    pub idempotency: Idempotency,
    /// It may be answered from a replica of the database, which knows all that its caller has written and lacks what others
    /// wrote a moment ago.
    pub replica: bool,
    /// How often it may be called.
    pub limits: &'static [Limit],
    /// What its audit record says.
    pub audit: Audit,
    /// Where the edge serves it as REST.
    pub http: &'static [HttpRoute],
}

impl MethodContract {
    /// True if a user may reach it through the edge, if the user's authority allows.
    pub fn serves_users(&self) -> bool {
        self.access.public || self.access.authenticated || self.access.permission.is_some()
    }
}

/// Which sides of a method stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// One message each way.
    Unary,
    /// One request, many answers.
    ServerStreaming,
    /// Many requests, one answer.
    ClientStreaming,
    /// Many each way.
    Bidirectional,
}

/// Who may call a method. Nobody, unless something here says so.
///
/// What is set must hold together (`permission` and `callers`: both), unless `any_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Anyone, without credentials.
    pub public: bool,
    /// Anyone whose credentials are good.
    pub authenticated: bool,
    /// Whoever holds this permission.
    pub permission: Option<&'static str>,
    /// The roles that hold `permission` from the start, beside `owner`.
    pub roles: &'static [&'static str],
    /// The domains that may call it on their own account.
    pub callers: &'static [&'static str],
    /// One of the conditions is enough.
    pub any_of: bool,
}

/// A permission and the roles that hold it from the start, beside `owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionContract {
    /// Its name: `orders.read_all`.
    pub name: &'static str,
    /// The roles that hold it.
    pub roles: &'static [&'static str],
}

/// What a second identical call does, and so whether one may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: it only reads.
    Read,
    /// The same as the first, by the nature of the change.
    Natural,
    /// Answers as the first did, if it carries the first one's key.
    Keyed,
    /// Its work again. It is never retried.
    None,
}

/// A rate that callers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Who shares it.
    pub per: LimitScope,
    /// Calls a second.
    pub rate: u32,
    /// Calls that may come at once after a pause.
    pub burst: u32,
}

/// Who shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// All users of a tenant.
    Tenant,
    /// One user.
    User,
    /// One calling domain.
    Peer,
    /// One network address at the edge. Not counted yet: see `options.proto`.
    Address,
}

/// What the audit record of a call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// There is none.
    None,
    /// Who read what.
    Read,
    /// Who changed what, with digests of before and after.
    Write,
    /// The same, and whose attempt was refused.
    WriteAndRefused,
}

impl Audit {
    /// True where changes are recorded.
    pub fn of_changes(self) -> bool {
        matches!(self, Self::Write | Self::WriteAndRefused)
    }
}

/// A REST route of a method (`google.api.http`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// The HTTP method.
    pub method: HttpMethod,
    /// The path template, by the grammar of `google/api/http.proto`.
    pub template: &'static str,
    /// The request field that the body fills: `*`, a field's name, or empty for no body.
    pub body: &'static str,
    /// The answer's field that becomes the body, or empty for the whole answer.
    pub response_body: &'static str,
}

/// An HTTP method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// GET
    Get,
    /// PUT
    Put,
    /// POST
    Post,
    /// DELETE
    Delete,
    /// PATCH
    Patch,
    /// A method of the contract's own naming.
    Custom(&'static str),
}

impl HttpMethod {
    /// The method as it stands in a request line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Custom(name) => name,
        }
    }
}

/// A reason that errors of a domain carry in `google.rpc.ErrorInfo` (AIP-193).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonContract {
    /// The reason: `ORDER_NOT_FOUND`.
    pub name: &'static str,
    /// The status code that it implies.
    pub code: Code,
    /// What it means and what the caller can do, from the contract's comment.
    pub description: &'static str,
}

/// A type that stands for a contract: generated, one for each package (`OrdersContract`).
pub trait Declares: Send + Sync + 'static {
    /// The contract.
    const CONTRACT: &'static Contract;
}

/// A contract that can be served by `H`: generated for every `H` with the package's handler trait.
pub trait Serves<H>: Declares {
    /// The handler behind the contract's service.
    fn service(handler: Arc<H>) -> Arc<dyn Service>;
}

/// A typed client: generated, one for each service.
pub trait Client: Sized + Send + Sync + 'static {
    /// The service that it calls.
    const SERVICE: &'static ServiceContract;
    /// The client over an upstream. Domains cannot reach an upstream: they ask their context for a
    /// client that their contract declares.
    fn over(upstream: Arc<dyn Upstream>) -> Self;
}

/// A contract whose services declare in `calls` that they call `C`'s service: generated.
pub trait Calls<C: Client>: Declares {}
