//! Runs domains in one process.
//!
//! Start: databases and migrations, certificates, ports, handlers, servers, jobs, the admin port.
//! Nothing serves before everything is there, and what is missing stops the start with one sentence.
//! The admin port says ready once whoever started the domains has opened them. Stop: readiness fails
//! first, then callers are told by the registry, then servers drain, then jobs end.

mod adjust;
mod blobs;
mod callers;
mod certificates;
mod discovery;
mod events;
mod replica;
mod sealing;
mod start;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use weft_access::{CallerRules, ConsulIntentions, LimitFactors};
use weft_call::{Clock, Contract, Error, MeshReason, Result, TopicPattern};
use weft_config::Config;
use weft_jobs::Job;
use weft_reload::Live;
use weft_store::Watch;
use weft_telemetry::Metrics;
use weft_transport::{LiveTuning, ServerHealth, TransportError, Upstreams};
use weft_workload_identity::CertificateSource;

use crate::{
    Domain, StartError,
    admin::{Operator, Phase},
};

use adjust::Adjustable;
pub use adjust::check_config;
pub use blobs::open_blobs;
pub use callers::{UnknownName, caller_rules, check_callers};
use discovery::Discovery;
pub(crate) use discovery::Elsewhere;
pub use start::{database_settings, open_databases};

/// What to do about migrations that a database lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// Run them: a laptop, a test.
    Run,
    /// Refuse to start: in production they are a step of their own.
    Demand,
}

/// Domains that are to run.
#[derive(Debug)]
pub struct Runtime {
    /// The configuration of the process.
    pub config: Config,
    /// The domains that run here.
    pub domains: Vec<Domain>,
    /// The contracts of every domain of the mesh, here or elsewhere: they say who may call whom.
    pub contracts: Vec<&'static Contract>,
    /// The topics that each domain of the mesh handles, here or elsewhere.
    pub subscriptions: Vec<(&'static str, Vec<TopicPattern>)>,
    /// What to do about migrations that a database lacks.
    pub migrations: Migrations,
    /// The time of day.
    pub clock: Clock,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// What may change about its calls while it runs.
    pub tuning: LiveTuning,
    /// The configuration that changes while it runs, if it does: then `tuning` is taken from there.
    pub live: Option<Live>,
    /// Whether the admin port is served.
    pub admin: bool,
    /// What operators are given there.
    pub operator: Operator,
    /// Whether the edge runs here too: it is a workload of its own, with its own certificate.
    pub edge: bool,
    /// Sees the statements that the domains run; for tests.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Runtime {
    /// These domains with the machine's clock, alone in the mesh, running their migrations.
    pub fn new(config: Config, domains: Vec<Domain>) -> Self {
        let contracts = domains.iter().map(Domain::contract).collect();
        let (clock, metrics, tuning) = (Clock::system(), Metrics::new(), LiveTuning::default());
        let (subscriptions, migrations) = (subscriptions(&domains), Migrations::Run);
        Self {
            config,
            domains,
            contracts,
            subscriptions,
            migrations,
            clock,
            metrics,
            tuning,
            live: None,
            admin: true,
            operator: Operator::default(),
            edge: true,
            watch: None,
        }
    }

    /// Starts them all, or none.
    pub async fn start(self) -> Result<Running, StartError> {
        // It happens once and is large: on the heap, it does not swell the futures of whoever waits for it.
        Box::pin(start::start(self)).await
    }
}

/// The topics that each of these domains handles.
pub fn subscriptions(domains: &[Domain]) -> Vec<(&'static str, Vec<TopicPattern>)> {
    let handling = domains.iter().filter(|domain| !domain.subscriptions().is_empty());
    handling.map(|domain| (domain.name(), domain.subscriptions().to_vec())).collect()
}

/// Domains that run. Dropping it stops them at once; [`Running::stop`] drains them.
pub struct Running {
    pub(crate) config: Arc<Config>,
    pub(crate) contracts: Vec<&'static Contract>,
    pub(crate) addresses: BTreeMap<&'static str, SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) discovery: Discovery,
    pub(crate) certificates: Arc<dyn CertificateSource>,
    pub(crate) rules: Arc<CallerRules>,
    /// They are followed until this is dropped.
    pub(crate) _intentions: Option<Arc<ConsulIntentions>>,
    pub(crate) metrics: Metrics,
    pub(crate) adjustable: Adjustable,
    pub(crate) clock: Clock,
    pub(crate) jobs: Vec<Job>,
    pub(crate) health: Vec<ServerHealth>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) servers: Tasks,
    pub(crate) background: Tasks,
}

impl Running {
    /// Where each domain of this process listens.
    pub fn addresses(&self) -> &BTreeMap<&'static str, SocketAddr> {
        &self.addresses
    }

    /// Where the admin port is.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The contracts of every domain of the mesh.
    pub fn contracts(&self) -> &[&'static Contract] {
        &self.contracts
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The certificates of the workloads of this process.
    pub fn certificates(&self) -> Arc<dyn CertificateSource> {
        Arc::clone(&self.certificates)
    }

    /// Who may call the domains of this process, at this moment.
    pub fn caller_rules(&self) -> &Arc<CallerRules> {
        &self.rules
    }

    /// The metrics of the process.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What may change about the calls of the process while it runs.
    pub fn tuning(&self) -> &LiveTuning {
        &self.adjustable.tuning
    }

    /// By how much the limits of contracts are stretched, which changes while the process runs.
    pub fn limit_factors(&self) -> LimitFactors {
        self.adjustable.factors.clone()
    }

    /// The time of day.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Connections to domains as the workload `own`: what the edge calls through.
    pub fn upstreams(&self, own: &str) -> Result<Upstreams, TransportError> {
        let (resolver, certificates) = (self.discovery.resolver(), self.certificates());
        Ok(Upstreams::new(own.parse()?, resolver, certificates, self.metrics.clone(), self.tuning().clone()))
    }

    /// Waits until discovery has answered where these domains are, so that the first call to each
    /// finds it; not for long, and not for a domain that is nowhere.
    pub async fn locate(&self, domains: impl IntoIterator<Item = &str>) {
        self.discovery.locate(domains).await;
    }

    /// Runs a job now, whatever its time; one that is under way, here or elsewhere, is waited for. For tests and operators.
    pub async fn run_job(&self, domain: &str, name: &str) -> Result<()> {
        let job = self.jobs.iter().find(|job| job.domain() == domain && job.name() == name);
        let unknown = || Error::new(MeshReason::MethodUnknown, format!("{domain} has no job {name}"));
        job.ok_or_else(unknown)?.run_now().await
    }

    /// Reports ready from now on: what belongs to the process beside its domains runs too, the edge
    /// say.
    pub fn open(&self) {
        self.phase.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Open;
            }
            starting
        });
    }

    /// Fails readiness from now on and leaves the registry, so that no new traffic is sent here.
    pub async fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
        self.discovery.withdraw().await;
        for health in &self.health {
            health.set_serving(false).await;
        }
    }

    /// Stops in order: readiness, servers, jobs, the admin port.
    pub async fn stop(mut self) {
        self.drain().await;
        self.servers.stop().await;
        self.background.stop().await;
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Tasks that end together. Dropping them aborts them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    stop: CancellationToken,
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    pub(crate) fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.handles.push(tokio::spawn(task));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        for handle in self.handles.drain(..) {
            if let Err(error) = handle.await {
                tracing::error!(%error, "a task of the runtime failed");
            }
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.handles.iter().for_each(JoinHandle::abort);
    }
}
