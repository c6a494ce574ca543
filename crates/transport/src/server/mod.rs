//! The server side: one domain on its port.

mod admission;
mod callers;
mod connection;
mod execution;
mod record;
mod strangers;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use weft_call::{MethodContract, Records, Service};
use weft_telemetry::{MethodMetrics, Metrics, Observed, Side, States};
use weft_workload_identity::{CertificateSource, WorkloadName, server_config};

use self::strangers::Strangers;
use crate::{concurrency::Limiter, error::TransportError, socket::Listener, stream::StreamLife, tuning::LiveTuning};

pub use admission::Admission;

/// What strangers may use up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the listener's queue.
    pub connections: usize,
    /// Calls at once on one connection.
    pub streams: u32,
    /// Largest header list, in bytes.
    pub headers: u32,
    /// For calls under way once the server is told to stop; then they are cut.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, streams: 1024, headers: 64 * 1024, drain: Duration::from_secs(20) }
    }
}

/// A method that is served.
struct Served {
    contract: &'static MethodContract,
    metrics: MethodMetrics,
}

/// One domain on its port.
pub struct Server {
    service: Arc<dyn Service>,
    methods: HashMap<&'static str, Served>,
    records: Arc<dyn Records>,
    admission: Admission,
    certificates: Arc<dyn CertificateSource>,
    tls: Arc<ServerConfig>,
    health: HealthServer<HealthService>,
    metrics: Metrics,
    limits: Limits,
    tuning: LiveTuning,
    limiter: Limiter,
    strangers: Strangers,
}

/// Tells callers of `grpc.health.v1` whether the domain can work.
#[derive(Clone)]
pub struct ServerHealth {
    reporter: HealthReporter,
    service: &'static str,
}

impl ServerHealth {
    /// Says so from now on.
    pub async fn set_serving(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(self.service, status).await;
        self.reporter.set_service_status("", status).await;
    }
}

impl std::fmt::Debug for ServerHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerHealth").field(&self.service).finish()
    }
}

impl Server {
    /// A server that proves itself as the workload of the service's domain. It reports not serving
    /// until [`ServerHealth::set_serving`] is told otherwise.
    pub fn new(
        service: Arc<dyn Service>,
        records: Arc<dyn Records>,
        admission: Admission,
        certificates: Arc<dyn CertificateSource>,
        metrics: Metrics,
        limits: Limits,
        tuning: LiveTuning,
    ) -> Result<(Self, ServerHealth), TransportError> {
        let contract = service.contract();
        let workload: WorkloadName = contract.domain.parse()?;
        let tls = server_config(Arc::clone(&certificates), &workload)?;
        let served = |contract: &'static MethodContract| {
            let metrics = metrics.method(Side::Server, contract.domain, contract.name);
            (contract.path, Served { contract, metrics })
        };
        let methods = contract.methods.iter().map(served).collect();
        let readiness = ServerHealth { reporter: HealthReporter::new(), service: contract.name };
        let health = HealthServer::new(HealthService::from_health_reporter(readiness.reporter.clone()));
        let server = Self {
            service,
            methods,
            records,
            admission,
            certificates,
            tls,
            health,
            metrics,
            limits,
            limiter: Limiter::new(tuning.clone(), |tuning| &tuning.serving, Instant::now()),
            tuning,
            strangers: Strangers::default(),
        };
        Ok((server, readiness))
    }

    /// The life of a stream that opens now.
    fn stream_life(&self, closing: CancellationToken) -> StreamLife {
        StreamLife::begin(self.tuning.load().streams.clone(), closing)
    }

    /// Serves until `stop` is cancelled, then drains: no new connection, GOAWAY on the old ones, and
    /// a limit of time for the calls under way.
    pub async fn serve(self, listener: impl Listener, stop: CancellationToken) {
        let server = Arc::new(self);
        server.metrics.watch(Arc::downgrade(&server) as _);
        connection::accept(server, listener, stop).await;
    }
}

impl Observed for Server {
    fn observe(&self, states: &States) {
        let limiter = &self.limiter;
        states.serving(self.service.contract().domain, limiter.in_flight(), limiter.limit(), limiter.waiting());
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.service.contract().name).finish()
    }
}
