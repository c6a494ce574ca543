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
//! - `/config`: the configuration that runs, without secrets; its number, counted from 1; and why the newest
//!   one was refused, if it was.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use weft_access::ConsulIntentions;
use weft_reload::Live;
use weft_store::Store;
use weft_telemetry::{Metrics, OPEN_METRICS};
use weft_workload_identity::{CertificateSource, WorkloadName};

use crate::runtime::Elsewhere;

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
    pub(crate) certificates: Arc<dyn CertificateSource>,
    /// Who this process is.
    pub(crate) workloads: Arc<[WorkloadName]>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) metrics: Metrics,
    pub(crate) live: Option<Live>,
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
        let upkeep = self.metrics.upkeep();
        for workload in &*self.workloads {
            let Ok(identity) = self.certificates.identity(workload) else { continue };
            let (now, end) = (SystemTime::now(), identity.not_after());
            let left = end.duration_since(now).map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64());
            upkeep.set_certificate_expiry(workload.as_str(), left);
        }
        upkeep.set_certificates_stale(self.certificates.is_stale());
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

pub(crate) async fn serve(listener: TcpListener, health: Health, stop: CancellationToken) {
    let router = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/health", get(report))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
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
        "certificatesStale": health.certificates.is_stale(),
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
    match &health.live {
        Some(live) => live.render().into_response(),
        None => (StatusCode::NOT_FOUND, "this process was not given its configuration to show\n").into_response(),
    }
}
