//! Domains by Consul: this process registers its own, and follows those that it calls.
//!
//! Problem: an instance comes and goes without its callers being told, and the one who could tell
//! them may itself be gone. Rule: each instance keeps a check alive by its own health; callers hold a
//! blocking query on the instances whose check passes, so a change arrives within moments and nothing
//! is asked for on the way of a call. Recovery: while the agent does not answer, the last known
//! endpoints stay and one warning is logged; see [`Consul::is_stale`], [`weft_consul::Cursor`] and
//! [`registration`].

mod outage;
mod registration;
mod watch;

use std::sync::Arc;

use tokio::sync::watch::Receiver;
use weft_consul::Client;

use crate::{Endpoints, Resolver, followed::Followed};
use outage::Outage;

pub use registration::{Registration, Service};
pub use weft_consul::{ClientCertificate, ConsulError, ConsulSettings, Token};

/// The instances that a Consul agent knows of. Domains are followed from the first time that they
/// are asked for until this is dropped.
#[derive(Debug)]
pub struct Consul {
    agent: Arc<Agent>,
    followed: Followed,
}

#[derive(Debug)]
struct Agent {
    client: Client,
    outage: Outage,
}

impl Consul {
    /// Speaks to nobody yet. Must be called within a Tokio runtime.
    pub fn new(settings: &ConsulSettings) -> Result<Self, ConsulError> {
        let agent = Agent { client: Client::new(settings)?, outage: Outage::default() };
        Ok(Self { agent: Arc::new(agent), followed: Followed::new() })
    }

    /// Registers an instance of this process and keeps it registered: found by others while `health`
    /// says true. An agent that cannot be reached is tried until it can. Must be called within a
    /// Tokio runtime.
    pub fn register<H, F>(&self, service: Service, health: H) -> Registration
    where
        H: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        Registration::start(Arc::clone(&self.agent), service, health)
    }

    /// Whether what is known may be out of date, because the agent does not answer.
    pub fn is_stale(&self) -> bool {
        self.agent.outage.is_under_way()
    }
}

impl Resolver for Consul {
    fn watch(&self, domain: &str) -> Receiver<Endpoints> {
        self.followed.receiver(domain, |sender| watch::follow(Arc::clone(&self.agent), domain.to_owned(), sender))
    }
}
