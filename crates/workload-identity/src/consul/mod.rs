//! Certificates that a Consul agent gives out: the Connect CA, or what stands behind it (Vault, AWS).
//!
//! # Problem
//!
//! The agent makes a new certificate when the old one nears its end or the authority is replaced, and is itself gone at
//! times.
//!
//! # Rule
//!
//! The roots and the certificate of each workload are followed by blocking queries (`/v1/agent/connect/ca/roots` and
//! `/v1/agent/connect/ca/leaf/<service>` of Consul's API documentation), so what the agent changes is in use within
//! moments. All roots that it names are trusted: while an authority is replaced, there are two. From somewhere between
//! half and 70 % of a certificate's life on, drawn anew for each, its successor is asked for outright, again and again;
//! see [`renewal`]. It is the agent that decides when it makes one: at 60 to 90 %.
//!
//! # Recovery
//!
//! A certificate that cannot be renewed stays in use, and so do the roots. One alarm tells when that begins, however many
//! certificates are concerned; another when a certificate has less than a tenth of its life left.

mod agent;
mod alarm;
mod names;
mod renewal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::task::JoinSet;
use tokio::time::sleep;
use weft_consul::{Client, ConsulSettings};

use crate::error::IdentityError;
use crate::identity::Identity;
use crate::names::WorkloadName;
use crate::roots::Roots;
use crate::source::CertificateSource;
use agent::Known;
use alarm::Alarm;
use renewal::Renewal;

pub use names::ConsulService;

/// How long a blocking query waits at most.
const WAIT: Duration = Duration::from_mins(1);
/// A storm of changes is read this often at most.
const PACE: Duration = Duration::from_millis(100);
/// A failed request is made again after this at most, and half of it at least.
const RETRY: Duration = Duration::from_secs(4);

/// The certificates that a Consul agent gives to the workloads of this process. They are followed until this is dropped.
#[derive(Debug)]
pub struct ConsulConnect {
    held: Arc<Held>,
    _tasks: JoinSet<()>,
}

/// What is held of each, and how it is had.
#[derive(Debug)]
struct Held {
    client: Client,
    clock: Arc<dyn TimeProvider>,
    roots: ArcSwap<Roots>,
    identities: BTreeMap<WorkloadName, ArcSwap<Identity>>,
    alarm: Alarm,
}

impl ConsulConnect {
    /// Gets the roots and a certificate for each workload; each is named in Consul as it is here, in the namespace
    /// `default`. Must be called within a Tokio runtime.
    ///
    /// The token needs `service:write` for each of them. Fails when the agent does not answer or refuses, and when its
    /// answer is not usable.
    pub async fn open(
        settings: &ConsulSettings,
        workloads: &[WorkloadName],
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, IdentityError> {
        let client = Client::new(settings)?;
        let now = clock.current_time().ok_or(IdentityError::NoTime)?;
        let roots = agent::roots(&client, 0).await?;
        let mut identities = BTreeMap::new();
        let mut indices = Vec::new();
        for workload in workloads {
            let leaf = agent::leaf(&client, workload, 0, WAIT).await?;
            let identity = leaf.value.identity(workload, &roots.value, now)?;
            identities.insert(workload.clone(), ArcSwap::from_pointee(identity));
            indices.push((workload.clone(), leaf.index));
        }
        let held = Held { client, clock, roots: ArcSwap::from_pointee(roots.value), identities, alarm: Alarm::default() };
        let held = Arc::new(held);
        let mut tasks = JoinSet::new();
        tasks.spawn(follow_roots(Arc::clone(&held), roots.index));
        for (workload, index) in indices {
            tasks.spawn(follow_leaf(Arc::clone(&held), workload, index));
        }
        Ok(Self { held, _tasks: tasks })
    }
}

impl CertificateSource for ConsulConnect {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        self.held.identity(workload)
    }

    fn roots(&self) -> Arc<Roots> {
        self.held.roots.load_full()
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        self.held.identities.values().map(|identity| identity.load().not_after()).min()
    }

    fn is_stale(&self) -> bool {
        self.held.alarm.is_raised()
    }
}

impl Held {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        let held = self.identities.get(workload).ok_or_else(|| IdentityError::UnknownWorkload(workload.clone()))?;
        Ok(held.load_full())
    }

    fn now(&self) -> Result<UnixTime, IdentityError> {
        self.clock.current_time().ok_or(IdentityError::NoTime)
    }

    /// Takes the roots that the agent names; the index to ask with next.
    async fn renew_roots(&self, index: u64) -> Result<u64, IdentityError> {
        let Known { index: next, value: roots } = agent::roots(&self.client, index).await?;
        if !roots.is_same(&self.roots.load()) {
            tracing::info!(trust_domain = %roots.trust_domain(), "took new roots");
            self.roots.store(Arc::new(roots));
        }
        Ok(next)
    }

    /// Takes the certificate that the agent gives; the index to ask with next.
    async fn renew_leaf(&self, workload: &WorkloadName, index: u64, wait: Duration) -> Result<u64, IdentityError> {
        let Known { index: next, value: leaf } = agent::leaf(&self.client, workload, index, wait).await?;
        let identity = match leaf.identity(workload, &self.roots.load(), self.now()?) {
            // Its authority may be newer than the roots that are known here.
            Err(IdentityError::Certificate(_)) => {
                self.renew_roots(0).await?;
                leaf.identity(workload, &self.roots.load(), self.now()?)?
            }
            other => other?,
        };
        if let Some(held) = self.identities.get(workload).filter(|held| held.load().chain() != identity.chain()) {
            tracing::info!(%workload, not_after = ?identity.not_after(), "took a new certificate");
            held.store(Arc::new(identity));
        }
        Ok(next)
    }

    /// One request for a workload's certificate; how long to pause after it.
    async fn advance(
        &self,
        workload: &WorkloadName,
        renewal: &mut Option<Renewal>,
        index: &mut u64,
    ) -> Result<Duration, IdentityError> {
        let (identity, now) = (self.identity(workload)?, self.now()?);
        let plan = match renewal.take() {
            Some(plan) if plan.is_for(&identity) => renewal.insert(plan),
            _ => renewal.insert(Renewal::of(&identity, fastrand::f64())),
        };
        plan.tell(workload, now);
        let step = plan.step(now, WAIT);
        let asked_with = if step.is_due { 0 } else { *index };
        let next = self.renew_leaf(workload, asked_with, step.wait).await?;
        *index = agent::next_index(asked_with, next);
        Ok(if step.is_due { step.wait } else { PACE })
    }
}

async fn follow_roots(held: Arc<Held>, mut index: u64) {
    const TASK: &str = "follow the roots";
    loop {
        match held.renew_roots(index).await {
            Ok(next) => {
                held.alarm.clear(TASK);
                index = agent::next_index(index, next);
                sleep(PACE).await;
            }
            Err(error) => {
                held.alarm.raise(TASK, &error);
                index = 0;
                sleep(retry()).await;
            }
        }
    }
}

async fn follow_leaf(held: Arc<Held>, workload: WorkloadName, mut index: u64) {
    let task = format!("renew the certificate of {workload}");
    let mut renewal = None;
    loop {
        let pause = match held.advance(&workload, &mut renewal, &mut index).await {
            Ok(pause) => {
                held.alarm.clear(&task);
                pause
            }
            Err(error) => {
                held.alarm.raise(&task, &error);
                index = 0;
                retry()
            }
        };
        sleep(pause).await;
    }
}

/// So that not all processes come back at one moment.
fn retry() -> Duration {
    RETRY.mul_f64(0.5 + fastrand::f64() / 2.0)
}
