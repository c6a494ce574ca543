//! Spans and metrics of calls.
//!
//! It is the outermost layer: what a caller waits for, retries and pauses included, is what is
//! measured, and whatever a layer within refuses is measured too.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tracing::Instrument;
use weft_call::{Code, Error, MethodContract, Payload, Reply, Result};
use weft_telemetry::{MethodMetrics, Metrics, Side, client_span, end_client_span};

use super::layer::{Layer, Outgoing};

/// Measures calls.
pub(super) struct Measured<L> {
    methods: Methods,
    within: L,
}

impl<L> Measured<L> {
    pub(super) fn new(metrics: Metrics, within: L) -> Self {
        Self { methods: Methods { metrics, known: ArcSwap::default() }, within }
    }
}

impl<L: Layer> Layer for Measured<L> {
    async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let metrics = self.methods.of(outgoing.method);
        let span = client_span(outgoing.method, outgoing.call.trace());
        let began = Instant::now();
        let result = self.within.send(outgoing).instrument(span.clone()).await;
        let code = result.as_ref().err().map_or(Code::Ok, Error::code);
        metrics.observe(code, began.elapsed());
        end_client_span(&span, code);
        result
    }
}

/// The metrics of each method that was called, so that a call finds them without building labels.
struct Methods {
    metrics: Metrics,
    /// By the path of the method. A domain has a few dozen at most.
    known: ArcSwap<Vec<(&'static str, MethodMetrics)>>,
}

impl Methods {
    fn of(&self, method: &'static MethodContract) -> MethodMetrics {
        let known = self.known.load();
        let found = known.iter().find(|(path, _)| std::ptr::eq(*path, method.path)).map(|(_, metrics)| metrics.clone());
        found.unwrap_or_else(|| {
            let made = self.metrics.method(Side::Client, method.domain, method.name);
            self.known.rcu(|known| {
                let mut known = Vec::clone(known);
                known.push((method.path, made.clone()));
                Arc::new(known)
            });
            made
        })
    }
}
