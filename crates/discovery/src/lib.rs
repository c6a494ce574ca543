//! Where a domain is reached.
//!
//! # Problem
//!
//! Callers name domains, sockets want addresses, and what lies between them differs from a laptop to
//! a cluster, and changes while calls are under way.
//!
//! # Rule
//!
//! Whoever connects asks a [`Resolver`], which answers from memory and tells of changes:
//!
//! - [`Static`]: the addresses that the configuration states.
//! - [`InProcess`]: the domains of this process.
//! - [`Consul`]: instances that registered and whose check passes.
//! - [`Dns`]: address or SRV records, asked again when their time to live is over.
//! - [`Layered`]: several of them, the first that knows a domain first. A process of a cluster has
//!   `Static` over `InProcess` over `Consul`: an operator can move one domain by hand, and domains
//!   that share a process call each other there.
//!
//! What a registry says is a hint, never a proof: the peer's certificate decides who was reached.
//!
//! # Recovery
//!
//! A domain that is not known yet is an error of that connection alone; the next one asks again. A
//! registry that is gone costs news: the last known endpoints serve on, with one alarm an outage,
//! and what happened meanwhile is picked up when it is back.

mod backoff;
mod consul;
mod dns;
mod endpoint;
mod fixed;
mod followed;
mod in_process;
mod layered;

use std::sync::Arc;

use tokio::sync::watch;

pub use consul::{ClientCertificate, Consul, ConsulError, ConsulSettings, Registration, Service, Token};
pub use dns::{Dns, DnsError, DnsSettings, Question};
pub use endpoint::{Endpoint, EndpointError};
pub use fixed::Static;
pub use in_process::InProcess;
pub use layered::Layered;

/// All endpoints of a domain at one moment.
pub type Endpoints = Arc<[Endpoint]>;

/// Answers where a domain is. It is asked at each connection, so it answers from memory.
pub trait Resolver: Send + Sync + 'static {
    /// The domain's endpoints as they change: none while it is not known. A resolver that has to ask
    /// somebody counts the first answer as a change even if it names no endpoint, so that one can
    /// wait for it.
    ///
    /// The sender's end means that the resolver has ended: what it said last stays in the receiver.
    fn watch(&self, domain: &str) -> watch::Receiver<Endpoints>;

    /// The domain's endpoints at this moment; none if it is not known (yet).
    fn endpoints(&self, domain: &str) -> Vec<Endpoint> {
        self.watch(domain).borrow().to_vec()
    }
}
