//! The two ends of a call, without the wire between them.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;

use crate::{Call, MethodContract, Replays, Reply, Result, ServiceContract};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Messages that come one after the other. The first error is the last item.
pub type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T>> + Send + 'static>>;

/// One encoded message, or many.
pub enum Payload {
    /// One message, as its protobuf bytes.
    Message(Bytes),
    /// A stream of them.
    Stream(Streaming<Bytes>),
}

impl std::fmt::Debug for Payload {
    // Neither arm prints content: a payload may hold what the contract calls sensitive.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A service as its server sees it: generated code around a domain's handler.
pub trait Service: Send + Sync + 'static {
    /// What it serves.
    fn contract(&self) -> &'static ServiceContract;

    /// Decodes, validates, answers a repeated key from `replays`, runs the handler, encodes.
    fn handle<'a>(
        &'a self,
        method: &'static MethodContract,
        call: Call,
        request: Payload,
        replays: &'a dyn Replays,
    ) -> BoxFuture<'a, Result<Reply<Payload>>>;
}

/// A service as its clients see it.
pub trait Upstream: Send + Sync + 'static {
    /// Sends one call with the authority, trace and deadline of `call`.
    fn call<'a>(
        &'a self,
        call: &'a Call,
        method: &'static MethodContract,
        request: Payload,
    ) -> BoxFuture<'a, Result<Reply<Payload>>>;
}
