//! From W3C trace context to spans and back.
//!
//! Without an endpoint there are no OpenTelemetry spans: then [`adopt_parent`] does nothing and
//! [`current`] is `None`, and a caller passes on the context that it was given itself.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use weft_call::TraceContext;

use crate::{root, sampling::is_sampled};

/// Makes the span a child of the remote one, or the first of a trace that begins here. Call it before
/// the span is entered first.
pub fn adopt_parent(span: &Span, remote: &TraceContext) {
    if span.is_disabled() {
        return;
    }
    if remote.is_new {
        if is_sampled(remote) {
            root::begin(span, TraceId::from_bytes(remote.trace_id));
        }
        return;
    }
    // A broken `tracestate` is dropped, as the specification asks; the trace itself stands.
    let state = TraceState::from_str(&remote.state).unwrap_or_default();
    let parent = SpanContext::new(
        TraceId::from_bytes(remote.trace_id),
        SpanId::from_bytes(remote.span_id),
        TraceFlags::new(remote.flags),
        true,
        state,
    );
    // Fails when nothing is exported, and then there is nothing to be a parent of.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// The trace context to send with a call made inside the span; `None` when nothing is exported.
pub fn current(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let span = context.span();
    let own = span.span_context();
    own.is_valid().then(|| TraceContext {
        trace_id: own.trace_id().to_bytes(),
        span_id: own.span_id().to_bytes(),
        flags: own.trace_flags().to_u8(),
        is_new: false,
        state: own.trace_state().header().into(),
    })
}

/// The trace as what happens inside the span belongs to it: the span is its parent, if there is one.
pub fn within(span: &Span, trace: &TraceContext) -> TraceContext {
    let inner = if span.is_disabled() { None } else { current(span) };
    inner.unwrap_or_else(|| trace.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::export;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_span_continues_the_remote_trace() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let remote = TraceContext::parse(PARENT, Some("vendor=1")).unwrap();
        let sent = tracing::subscriber::with_default(Registry::default().with(export::layer(&provider)), || {
            let span = tracing::info_span!("call");
            adopt_parent(&span, &remote);
            let inner = span.in_scope(|| tracing::info_span!("upstream"));
            current(&inner).unwrap()
        });
        assert_eq!(sent.trace_id, remote.trace_id);
        assert_ne!(sent.span_id, remote.span_id);
        assert_eq!((sent.flags, &*sent.state), (1, "vendor=1"));
        let spans = exporter.get_finished_spans().unwrap();
        let call = spans.iter().find(|span| span.name == "call").unwrap();
        let upstream = spans.iter().find(|span| span.name == "upstream").unwrap();
        assert_eq!(call.parent_span_id.to_bytes(), remote.span_id);
        assert_eq!(upstream.parent_span_id, call.span_context.span_id());
        assert_eq!(upstream.span_context.span_id().to_bytes(), sent.span_id);
    }

    #[test]
    fn without_export_there_is_no_context_to_send() {
        let remote = TraceContext::parse(PARENT, None).unwrap();
        tracing::subscriber::with_default(Registry::default(), || {
            let span = tracing::info_span!("call");
            adopt_parent(&span, &remote);
            assert_eq!(current(&span), None);
        });
    }
}
