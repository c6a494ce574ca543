//! The admin port: plaintext, for the machine that runs the process, never for users.
//!
//! - `/live`: 200 while the process runs. It asks nothing of others: a database that is down is no
//!   reason to restart.
//! - `/ready`: 200 when every dependency answers and the process is not draining, else 503.
//! - `/health`: the same, with the state of each dependency as JSON, and with `discoveryStale`: the
//!   registry does not answer. That fails no readiness, as the last known endpoints serve on.
//! - `/metrics`: OpenMetrics text.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weft_discovery::Consul;
use weft_store::Store;
use weft_telemetry::{Metrics, OPEN_METRICS};

/// A dependency that does not answer within this is not ready.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// What readiness depends on.
#[derive(Clone)]
pub(crate) struct Health {
    stores: Arc<[(&'static str, Store)]>,
    registry: Option<Arc<Consul>>,
    draining: CancellationToken,
    metrics: Metrics,
}

impl Health {
    pub(crate) fn new(
        stores: Vec<(&'static str, Store)>,
        registry: Option<Arc<Consul>>,
        draining: CancellationToken,
        metrics: Metrics,
    ) -> Self {
        Self { stores: stores.into(), registry, draining, metrics }
    }

    fn discovery_is_stale(&self) -> bool {
        self.registry.as_ref().is_some_and(|registry| registry.is_stale())
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
        .with_state(health);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the admin port stopped");
    }
}

async fn ready(State(health): State<Health>) -> Response {
    if health.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    let failed: Vec<_> = health.check().await.into_iter().filter(|(_, state)| state.is_err()).map(|(name, _)| name).collect();
    if failed.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", failed.join(", "))).into_response()
}

async fn report(State(health): State<Health>) -> Response {
    let states = health.check().await;
    let draining = health.draining.is_cancelled();
    let ready = !draining && states.iter().all(|(_, state)| state.is_ok());
    let dependencies: serde_json::Map<_, _> = states
        .into_iter()
        .map(|(domain, state)| {
            let state = state.map_or_else(|error| json!({"ready": false, "error": error}), |()| json!({"ready": true}));
            (format!("store.{domain}"), state)
        })
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let stale = health.discovery_is_stale();
    let report = json!({"ready": ready, "draining": draining, "discoveryStale": stale, "dependencies": dependencies});
    (status, axum::Json(report)).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    health.metrics.set_discovery_stale(health.discovery_is_stale());
    ([(header::CONTENT_TYPE, OPEN_METRICS)], health.metrics.render()).into_response()
}
