//! Keeps one instance of a domain registered for as long as it runs.
//!
//! Rule: the instance has a check that is critical unless it was told otherwise within [`TTL`]; it
//! is told the domain's own health every [`KEEP_ALIVE`]. Recovery: whatever the agent refuses to
//! update, it may have forgotten, so the instance is registered again; an agent that is gone is tried
//! again and again. An instance that ended without a word is removed by Consul after
//! [`REMOVE_AFTER`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Agent, ConsulError};
use crate::backoff::Backoff;

/// How often the agent is told.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Three words may be lost before the check fails by itself.
const TTL: &str = "15s";
/// The least that Consul allows.
const REMOVE_AFTER: &str = "1m";
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// An instance of a domain, as it is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The domain.
    pub domain: String,
    /// The host by which others reach it; without it, that of the agent.
    pub host: Option<String>,
    /// The TCP port.
    pub port: u16,
    /// Tags, for operators and other programs.
    pub tags: Vec<String>,
    /// The version that runs.
    pub version: Option<String>,
    /// The zone that it runs in.
    pub zone: Option<String>,
    /// Its share of the calls beside other instances' weights, 1 or more.
    pub weight: u16,
}

impl Service {
    /// The same after a restart at the same address, so that a restart replaces what a crash left.
    fn id(&self) -> String {
        format!("{}-{}-{}", self.domain, self.host.as_deref().unwrap_or("agent"), self.port)
    }
}

/// A registered instance. [`Registration::deregister`] takes it out and waits for that; dropping it
/// leaves the same to the runtime, if that lives long enough.
#[derive(Debug)]
pub struct Registration {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Registration {
    /// Starts within a Tokio runtime.
    pub(super) fn start<H, F>(agent: Arc<Agent>, service: Service, health: H) -> Self
    where
        H: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(agent, service, health, stop.clone()));
        Self { stop: stop.drop_guard(), task }
    }

    /// Takes the instance out, before it stops to serve. Bounded: an agent that is gone is told
    /// nothing, and finds out by itself.
    pub async fn deregister(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task of a registration failed");
        }
    }
}

async fn keep<H, F>(agent: Arc<Agent>, service: Service, health: H, stop: CancellationToken)
where
    H: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let id = service.id();
    let task = format!("register {id}");
    let mut backoff = Backoff::new(FIRST_RETRY, KEEP_ALIVE);
    let mut is_known = false;
    loop {
        // Health that does not answer is none.
        let Some(asked) = stop.run_until_cancelled(timeout(KEEP_ALIVE, health())).await else { break };
        let is_healthy = asked.unwrap_or(false);
        // Not to be broken off: the agent might do it after it was told to deregister.
        let told =
            if is_known { update(&agent, &id, is_healthy).await } else { register(&agent, &id, &service, is_healthy).await };
        let wait = match told {
            Ok(()) => {
                agent.outage.succeeded(&task);
                backoff.succeeded();
                is_known = true;
                KEEP_ALIVE
            }
            #[cfg(feature = "sabotage")]
            Err(ConsulError::Refused { .. }) if weft_sabotage::Sabotage::RegisterOnce.is_on() => KEEP_ALIVE,
            Err(ConsulError::Refused { .. }) if is_known => {
                tracing::info!(id, "the agent does not know this instance any more: registering it again");
                is_known = false;
                continue;
            }
            #[cfg(feature = "sabotage")]
            Err(_) if weft_sabotage::Sabotage::RegisterOnce.is_on() && is_known => backoff.failed(),
            Err(error) => {
                agent.outage.failed(&task, &error);
                is_known = false;
                backoff.failed()
            }
        };
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            break;
        }
    }
    if let Err(error) = agent.client.put(&["v1", "agent", "service", "deregister", &id], None, &()).await {
        tracing::warn!(id, %error, "this instance could not be deregistered: its check will fail by itself");
    }
    agent.outage.succeeded(&task);
}

async fn update(agent: &Agent, id: &str, is_healthy: bool) -> Result<(), ConsulError> {
    let check = format!("service:{id}");
    agent.client.put(&["v1", "agent", "check", "update", &check], None, &Update { status: status(is_healthy) }).await
}

async fn register(agent: &Agent, id: &str, service: &Service, is_healthy: bool) -> Result<(), ConsulError> {
    let meta = [("version", service.version.as_deref()), ("zone", service.zone.as_deref())];
    let definition = Definition {
        id,
        name: &service.domain,
        address: service.host.as_deref().unwrap_or_default(),
        port: service.port,
        tags: &service.tags,
        meta: meta.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        weights: Weights { passing: service.weight.max(1), warning: 1 },
        check: Check { ttl: TTL, status: status(is_healthy), remove_after: REMOVE_AFTER },
    };
    agent.client.put(&["v1", "agent", "service", "register"], Some("replace-existing-checks"), &definition).await
}

const fn status(is_healthy: bool) -> &'static str {
    if is_healthy { "passing" } else { "critical" }
}

/// The body of `PUT /v1/agent/service/register`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    address: &'a str,
    port: u16,
    tags: &'a [String],
    meta: BTreeMap<&'static str, &'a str>,
    weights: Weights,
    check: Check,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u16,
    warning: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "TTL")]
    ttl: &'static str,
    status: &'static str,
    #[serde(rename = "DeregisterCriticalServiceAfter")]
    remove_after: &'static str,
}

/// The body of `PUT /v1/agent/check/update/:check`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    status: &'static str,
}
