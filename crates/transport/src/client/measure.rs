//! Spans and metrics of calls.
//!
//! It is the outermost layer: what a caller waits for, retries and pauses included, is what is
//! measured, and whatever a layer within refuses is measured too. A call whose answers stream ends
//! with the last of them.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{Instrument, Span};
use weft_call::{Code, Error, MethodKind, Payload, Reply, Result};
use weft_telemetry::{MethodMetrics, SideMetrics, client_span, end_client_span};

use super::layer::{Layer, Outgoing};
use crate::passage::{Passed, Way, ending};

/// Measures calls.
pub(super) struct Measured<L> {
    pub(super) calls: Arc<SideMetrics>,
    pub(super) within: L,
}

impl<L: Layer> Layer for Measured<L> {
    async fn send<'a>(&'a self, mut outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let span = client_span(outgoing.method, outgoing.call.trace());
        let measure = Measure { metrics: self.calls.of(outgoing.method), began: Instant::now(), span };
        if outgoing.method.kind == MethodKind::Unary {
            let result = self.within.send(outgoing).instrument(measure.span.clone()).await;
            measure.end(result.as_ref().err());
            return result;
        }
        let passed = Passed::default();
        if let Payload::Stream(requests) = outgoing.request {
            outgoing.request = Payload::Stream(passed.counting(Way::Sent, requests));
        }
        let result = self.within.send(outgoing).instrument(measure.span.clone()).await;
        let end = move |error: Option<&Error>, passed: &Passed| {
            passed.record(&measure.span);
            measure.end(error);
        };
        match result {
            Ok(reply) => Ok(reply.map(|answers| match answers {
                Payload::Stream(answers) => {
                    let answers = passed.counting(Way::Received, answers);
                    Payload::Stream(ending(answers, move |error| end(error, &passed)))
                }
                message @ Payload::Message(_) => {
                    end(None, &passed);
                    message
                }
            })),
            Err(error) => {
                end(Some(&error), &passed);
                Err(error)
            }
        }
    }
}

/// A call that is being measured.
pub(super) struct Measure {
    pub(super) metrics: MethodMetrics,
    pub(super) began: Instant,
    pub(super) span: Span,
}

impl Measure {
    /// It has ended, by this error or by none.
    pub(super) fn end(&self, error: Option<&Error>) {
        self.end_with(error.map_or(Code::Ok, Error::code));
    }

    /// It has ended so.
    pub(super) fn end_with(&self, code: Code) {
        self.metrics.observe(code, self.began.elapsed());
        end_client_span(&self.span, code);
    }
}
