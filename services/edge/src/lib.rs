//! The front door: REST, gRPC, gRPC-Web, Connect and WebSocket on one port, for every domain that is registered.
//!
//! # Problem
//!
//! Clients are strangers. They speak REST or gRPC, carry bearer tokens, send anything at all, and must
//! learn exactly what was wrong with it; the domains behind must see only calls that are proven, bounded
//! and on somebody's account.
//!
//! # Rule
//!
//! - What is served, how and for how long comes from the registered contracts: routes from
//!   `google.api.http`, access and deadlines from `weft.mesh.v1.call`. A method that only workloads may
//!   call is not served here at all.
//! - A stream is a JSON array, JSON lines, server-sent events or a WebSocket, as the client asks; messages leave
//!   as they come, and a stream that failed never looks whole. `google.api.HttpBody` passes as bytes.
//! - REST bodies, paths and queries become the method's request message; a field that the message does not
//!   have is an error that names it. gRPC passes through, its messages unread. Reflection and health are
//!   answered here for all domains.
//! - A user's access token is verified once, and exchanged for a signed assertion of at most a minute,
//!   which travels on in its place. For public methods the token is not looked at: a client whose token
//!   has expired must still be able to log in.
//! - Limits of contracts by address, user, API key and tenant are counted here, by all edges together where they share
//!   counters.
//! - Nothing else that a client sends travels inside, save the request id, the trace, the idempotency key,
//!   the etag and the time left.
//! - What is served describes itself, at `/openapi.json` and `/docs`.
//! - Every error is a `google.rpc.Status`: in JSON for REST, in trailers for gRPC.
//!
//! # Recovery
//!
//! Without word of revoked sessions for a while, calls with credentials are refused as unavailable: a
//! session that ended must not live on because nobody could say so. They are taken again with the next
//! word. A domain that cannot be reached fails its own calls and no others.

mod alone;
mod arrival;
mod aside;
mod authenticate;
mod body;
mod catalogue;
mod connect;
mod cors;
mod encoding;
mod error;
mod exchange;
mod fault;
mod front;
mod grpc;
mod grpc_web;
mod health;
mod issuer;
mod listener;
mod probe;
mod proxies;
mod rate_limits;
mod reasons;
mod record;
mod reference;
mod request_limits;
mod rest;
mod schema;
mod server;
mod settings;
mod websocket;

pub use alone::Alone;
pub use error::EdgeError;
pub use listener::tls::{TlsError, TlsFiles};
pub use probe::{ProbeError, probe};
pub use reference::openapi;
pub use schema::{ReflectionError, SchemaSource, UPSTREAM};
pub use server::{Edge, Running, Served};
pub use settings::Settings;
