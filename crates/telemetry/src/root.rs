//! The first span of a trace whose id is known already.
//!
//! Problem: OpenTelemetry makes the id of a trace with its first span, and weft before that: it stands in
//! log lines and answers whether the trace is recorded or not. Rule: [`begin`] starts a span that has no
//! parent and takes the trace's id as its own. Every other span without a parent belongs to no trace, and
//! is not recorded.

use std::cell::Cell;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanId, SpanKind, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

thread_local! {
    /// The trace that begins on this thread right now.
    static BEGINS: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Starts the span, which must not have been entered yet, as the first of the trace.
pub(crate) fn begin(span: &Span, trace: TraceId) {
    // Fails when nothing is exported, and then there is nothing to begin.
    if span.set_parent(Context::new()).is_ok() {
        BEGINS.set(Some(trace));
        // To ask for its context starts it, on this thread.
        let _ = span.context();
        BEGINS.set(None);
    }
}

/// Makes ids, but for the trace that begins.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        BEGINS.get().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Records of the spans without a parent those that begin a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnlyBegun;

impl ShouldSample for OnlyBegun {
    fn should_sample(
        &self,
        _: Option<&Context>,
        trace: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let begins = BEGINS.get() == Some(trace);
        let decision = if begins { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}
