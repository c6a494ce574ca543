//! Spans and metrics of calls.
//!
//! It is the outermost layer: what a caller waits for, retries and pauses included, is what is
//! measured, and whatever a layer within refuses is measured too.

use tokio::time::Instant;
use tracing::Instrument;
use weft_call::{Code, Error, Payload, Reply, Result};
use weft_telemetry::{Metrics, Side};

use super::layer::{Layer, Outgoing};

/// Measures calls.
pub(super) struct Measured<L> {
    pub(super) metrics: Metrics,
    pub(super) within: L,
}

impl<L: Layer> Layer for Measured<L> {
    async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let method = outgoing.method;
        let span = tracing::info_span!("upstream", otel.kind = "client", domain = method.domain, method = method.name);
        let began = Instant::now();
        let result = self.within.send(outgoing).instrument(span).await;
        let code = result.as_ref().err().map_or(Code::Ok, Error::code);
        self.metrics.observe_call(Side::Client, method.domain, method.name, code, began.elapsed());
        result
    }
}
