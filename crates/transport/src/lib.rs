//! The client and server stacks between domains, and the only place where contracts meet tonic.
//!
//! Generated contracts know a [`weft_call::Service`] and a [`weft_call::Upstream`], which speak in
//! encoded messages. This crate puts both on gRPC over HTTP/2 and mutual TLS 1.3, once and for all
//! contracts: no adapter is generated, and when tonic gives way to its successor this crate changes
//! and no other.
//!
//! - [`Upstreams`] is the client side: calls are balanced over the endpoints of a domain, sent again
//!   where the contract allows, and carry the deadline, trace and authority of the
//!   [`weft_call::Call`].
//! - [`Server`] is the server side: it proves the peer, rebuilds the call, decides access, counts
//!   limits, runs the handler within the deadline, and drains when it is told to stop.

mod batch;
mod client;
mod codec;
mod concurrency;
mod error;
#[cfg(test)]
mod fixture;
mod frame;
pub mod metadata;
mod passage;
mod server;
mod socket;
mod status;
mod stream;
mod tuning;

/// Largest message that either end sends or reads, in bytes.
pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

pub use batch::Batching;
pub use client::{ForwardBody, Upstreams};
pub use error::TransportError;
pub use server::{Admission, Limits, Server, ServerHealth};
pub use socket::{Dialer, Listener, Socket, Tcp, ready};
pub use status::{error_from_status, status_from_error};
pub use tuning::{
    BreakerTuning, ConcurrencyTuning, ConnectionTuning, LiveTuning, RetryTuning, StreamTuning, Tuning, TuningError,
};
