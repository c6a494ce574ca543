//! The admin port: plaintext, for the machine that runs the process, never for users.
//!
//! - `/live`: 200 while the process runs. It asks nothing of others: a database that is down is no
//!   reason to restart.
//! - `/ready`: 200 when every dependency answers and the process is open: 503 before all of it has
//!   started, and once it drains.
//! - `/health`: the same, with the state of each dependency as JSON, and with `discoveryStale` and
//!   `intentionsStale`: the registry does not answer; and `certificatesStale`: certificates cannot be renewed. None of
//!   these fails readiness, as what was known last serves on.
//! - `/metrics`: OpenMetrics text.
//! - `/routes`: the methods of all domains and what they are held to, as JSON.
//! - `/upstreams`: the endpoints that callers of this process know, with breaker, load and calls under way, as JSON.
//! - `/log`: the log's filter; PUT another, which holds until the configuration sets one.
//! - `/drain`: POST fails readiness, leaves the registry, and asks the edge's clients to go elsewhere. Whoever comes all the
//!   same is served; the process runs on until it is told to stop.
//! - `/config`: the configuration that runs, without secrets; its number, counted from 1; and why the newest
//!   one was refused, if it was.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use weft_access::ConsulIntentions;
use weft_reload::Live;
use weft_store::Store;
use weft_telemetry::{LogFilter, Metrics, OPEN_METRICS};
use weft_workload_identity::{CertificateSource, WorkloadName};

use crate::{error::StartError, runtime::Elsewhere};

/// The longest body that is taken, in bytes: a log's filter.
const MAX_BODY: usize = 4096;

/// What is told when it is asked for, as it is then.
#[derive(Clone)]
pub struct Told(Arc<dyn Fn() -> String + Send + Sync>);

impl Told {
    /// What this says.
    pub fn new(text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(text))
    }
}

impl From<String> for Told {
    fn from(text: String) -> Self {
        Self::new(move || text.clone())
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

/// What operators are given on the admin port beside what the mesh itself knows.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The routes of the process, as JSON.
    pub routes: Option<Told>,
    /// The configuration, without secrets, of a process whose configuration does not change while it runs.
    pub config: Option<Arc<str>>,
    /// The log's filter.
    pub log: Option<LogFilter>,
    /// Cancelled when an operator asks the process to drain.
    pub drain: CancellationToken,
}

/// A dependency that does not answer within this is not ready.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Where a process stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not all of it runs yet.
    Starting,
    /// It takes traffic.
    Open,
    /// It takes no new traffic.
    Draining,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Open => "open",
            Self::Draining => "draining",
        }
    }
}

/// What readiness depends on.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) stores: Arc<[(&'static str, Store)]>,
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) intentions: Option<Arc<ConsulIntentions>>,
    /// None where nobody has any.
    pub(crate) certificates: Option<Arc<dyn CertificateSource>>,
    /// Who this process is.
    pub(crate) workloads: Arc<[WorkloadName]>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) metrics: Metrics,
    pub(crate) live: Option<Live>,
    pub(crate) operator: Operator,
}

impl Health {
    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    fn discovery_is_stale(&self) -> bool {
        self.elsewhere.as_ref().is_some_and(Elsewhere::is_stale)
    }

    fn intentions_are_stale(&self) -> bool {
        self.intentions.as_ref().is_some_and(|intentions| intentions.is_stale())
    }

    /// Tells how long certificates are still valid, and whether they can be renewed.
    fn observe_certificates(&self) {
        let (upkeep, Some(certificates)) = (self.metrics.upkeep(), &self.certificates) else { return };
        for workload in &*self.workloads {
            let Ok(identity) = certificates.identity(workload) else { continue };
            let (now, end) = (SystemTime::now(), identity.not_after());
            let left = end.duration_since(now).map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64());
            upkeep.set_certificate_expiry(workload.as_str(), left);
        }
        upkeep.set_certificates_stale(certificates.is_stale());
    }

    fn certificates_are_stale(&self) -> bool {
        self.certificates.as_ref().is_some_and(|certificates| certificates.is_stale())
    }

    /// Each dependency, and what is wrong with it.
    async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
        let mut states = Vec::with_capacity(self.stores.len());
        for (domain, store) in &*self.stores {
            let state = match tokio::time::timeout(PING_LIMIT, store.ping()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {PING_LIMIT:?}")),
            };
            states.push((*domain, state));
        }
        states
    }
}

/// The admin port of a process that runs no domains, such as an edge that stands alone: ready until it drains. It is closed
/// when it is dropped.
#[derive(Debug)]
pub struct AdminPort {
    /// Where it is.
    pub local_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    _open: DropGuard,
}

impl AdminPort {
    /// Opens it; port 0 picks a free one. `named` is what sets the address, for the error.
    pub async fn open(address: SocketAddr, named: &str, metrics: Metrics, operator: Operator) -> Result<Self, StartError> {
        let refused =
            |source| StartError::Listen { what: "the admin port".to_owned(), address, setting: named.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let (phase, stop) = (watch::Sender::new(Phase::Open), CancellationToken::new());
        let health = Health {
            stores: Arc::default(),
            elsewhere: None,
            intentions: None,
            certificates: None,
            workloads: Arc::default(),
            phase: phase.subscribe(),
            metrics,
            live: None,
            operator,
        };
        tokio::spawn(serve(listener, health, stop.clone()));
        Ok(Self { local_addr, phase, _open: stop.drop_guard() })
    }

    /// Fails readiness from now on.
    pub fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }
}

pub(crate) async fn serve(listener: TcpListener, health: Health, stop: CancellationToken) {
    let router = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/health", get(report))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
        .route("/routes", get(routes))
        .route("/upstreams", get(upstreams))
        .route("/log", get(log).put(set_log))
        .route("/drain", post(drain))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(health);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the admin port stopped");
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let phase = health.phase();
    if phase != Phase::Open {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", phase.name())).into_response();
    }
    let failed: Vec<_> = health.check().await.into_iter().filter(|(_, state)| state.is_err()).map(|(name, _)| name).collect();
    if failed.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", failed.join(", "))).into_response()
}

async fn report(State(health): State<Health>) -> Response {
    let states = health.check().await;
    let phase = health.phase();
    let ready = phase == Phase::Open && states.iter().all(|(_, state)| state.is_ok());
    let dependencies: serde_json::Map<_, _> = states
        .into_iter()
        .map(|(domain, state)| {
            let state = state.map_or_else(|error| json!({"ready": false, "error": error}), |()| json!({"ready": true}));
            (format!("store.{domain}"), state)
        })
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = json!({
        "ready": ready,
        "phase": phase.name(),
        "discoveryStale": health.discovery_is_stale(),
        "certificatesStale": health.certificates_are_stale(),
        "intentionsStale": health.intentions_are_stale(),
        "dependencies": dependencies,
    });
    (status, axum::Json(report)).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    health.metrics.set_discovery_stale(health.discovery_is_stale());
    health.metrics.set_intentions_stale(health.intentions_are_stale());
    health.observe_certificates();
    ([(header::CONTENT_TYPE, OPEN_METRICS)], health.metrics.render()).into_response()
}

async fn config(State(health): State<Health>) -> Response {
    match (&health.live, &health.operator.config) {
        (Some(live), _) => live.render().into_response(),
        (None, Some(config)) => config.to_string().into_response(),
        (None, None) => (StatusCode::NOT_FOUND, "this process was not given its configuration to show\n").into_response(),
    }
}

async fn routes(State(health): State<Health>) -> Response {
    match &health.operator.routes {
        Some(routes) => ([(header::CONTENT_TYPE, "application/json")], (routes.0)()).into_response(),
        None => (StatusCode::NOT_FOUND, "this process was not given its routes to show\n").into_response(),
    }
}

async fn upstreams(State(health): State<Health>) -> Response {
    let upstreams = health.metrics.upstreams().into_iter().map(|upstream| {
        json!({
            "caller": upstream.caller,
            "domain": upstream.domain,
            "endpoint": upstream.endpoint,
            "ejected": upstream.is_ejected,
            "load": upstream.load,
            "inFlight": upstream.in_flight,
            "limit": upstream.limit,
            "queued": upstream.queued,
        })
    });
    axum::Json(json!({"upstreams": upstreams.collect::<Vec<_>>()})).into_response()
}

async fn log(State(health): State<Health>) -> Response {
    match health.operator.log.as_ref().map(LogFilter::get) {
        Some(Ok(filter)) => format!("{filter}\n").into_response(),
        Some(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        None => (StatusCode::NOT_FOUND, "this process was not given its log to change\n").into_response(),
    }
}

async fn set_log(State(health): State<Health>, headers: HeaderMap, filter: String) -> Response {
    if let Some(refusal) = refuse_pages(&headers) {
        return refusal;
    }
    match health.operator.log.as_ref().map(|log| log.set(filter.trim())) {
        Some(Ok(())) => log(State(health)).await,
        Some(Err(error)) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        None => (StatusCode::NOT_FOUND, "this process was not given its log to change\n").into_response(),
    }
}

async fn drain(State(health): State<Health>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refuse_pages(&headers) {
        return refusal;
    }
    health.operator.drain.cancel();
    (StatusCode::ACCEPTED, "draining\n").into_response()
}

/// A browser on the operator's machine reaches this port too, for any page that it shows; it says so in `Origin`.
fn refuse_pages(headers: &HeaderMap) -> Option<Response> {
    let is_page = headers.contains_key(header::ORIGIN);
    is_page.then(|| (StatusCode::FORBIDDEN, "pages may not ask this\n").into_response())
}
