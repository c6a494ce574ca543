//! Spans and metrics of calls.
//!
//! It is the outermost layer: what a caller waits for, retries and pauses included, is what is
//! measured, and whatever a layer within refuses is measured too. A call whose answers stream ends
//! with the last of them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tracing::{Instrument, Span};
use weft_call::{Code, Error, MethodContract, MethodKind, Payload, Reply, Result};
use weft_telemetry::{MethodMetrics, Metrics, Side, client_span, end_client_span};

use super::layer::{Layer, Outgoing};
use crate::passage::{Passed, Way, ending};

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
    async fn send<'a>(&'a self, mut outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let span = client_span(outgoing.method, outgoing.call.trace());
        let measure = Measure { metrics: self.methods.of(outgoing.method), began: Instant::now(), span };
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
