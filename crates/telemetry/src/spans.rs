//! The spans of calls, by OpenTelemetry's semantic conventions for RPC.
//!
//! Rule: a span is made only for a trace that is recorded; otherwise there is none, and it costs a
//! look at the flags. These spans are for traces alone: what log lines say is in
//! [`crate::CallLines`].

use std::fmt::Display;

use opentelemetry::trace::TraceContextExt;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use weft_call::{Code, MethodContract, TraceContext};

use crate::{propagation::adopt_parent, sampling::is_sampled};

/// The target of spans that are for traces alone.
pub(crate) const TRACE: &str = "weft::trace";
/// The target of spans that are for log lines alone.
pub const LINES: &str = "weft::call";

/// The span of a call to another domain. Its parent is the span around it, or else the call's.
pub fn client_span(method: &MethodContract, trace: &TraceContext) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        "call",
        otel.name = name(method),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = method.service,
        rpc.method = method.name,
        rpc.grpc.status_code = Empty,
        rpc.messages.sent = Empty,
        rpc.messages.received = Empty,
        peer.service = method.domain,
        server.address = Empty,
        server.port = Empty,
        error.type = Empty,
    );
    if !is_inside(trace) {
        adopt_parent(&span, trace);
    }
    span
}

/// The span of a call that a domain serves to `peer`, which its certificate names. Its parent is the
/// caller's.
pub fn server_span(method: &MethodContract, trace: &TraceContext, peer: &str) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        parent: None,
        "call",
        otel.name = name(method),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = method.service,
        rpc.method = method.name,
        rpc.grpc.status_code = Empty,
        rpc.messages.sent = Empty,
        rpc.messages.received = Empty,
        peer.service = peer,
        error.type = Empty,
    );
    adopt_parent(&span, trace);
    span
}

/// The span of one run of a job.
pub fn job_span(domain: &str, job: &str, trace: &TraceContext) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        parent: None,
        "job",
        otel.name = format!("{domain}/{job}"),
        otel.kind = "internal",
        otel.status_code = Empty,
        error.type = Empty,
    );
    adopt_parent(&span, trace);
    span
}

/// The span of handling an event in `domain`, by OpenTelemetry's conventions for messaging. Its parent is
/// what published the event.
pub fn event_span(domain: &str, topic: &str, event: &dyn Display, trace: &TraceContext) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        parent: None,
        "event",
        otel.name = format!("process {topic}"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "weft",
        messaging.operation.name = "process",
        messaging.operation.r#type = "process",
        messaging.destination.name = topic,
        messaging.consumer.group.name = domain,
        messaging.message.id = %event,
        rpc.grpc.status_code = Empty,
        error.type = Empty,
    );
    adopt_parent(&span, trace);
    span
}

/// The span of work on a domain's records: `operation` is `read` or `write`. What keeps a process going,
/// such as a relay that looks for events, begins no recorded trace, and so has none.
pub fn store_span(domain: &str, system: &'static str, operation: &'static str, trace: &TraceContext) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        "store",
        otel.name = operation,
        otel.kind = "client",
        db.system.name = system,
        db.namespace = domain,
        db.operation.name = operation,
    );
    if !is_inside(trace) {
        adopt_parent(&span, trace);
    }
    span
}

// Numbers are recorded as `i64`: OpenTelemetry has no other, and would be told `u16` and `u64` as text.

/// Says which endpoint a call is sent to; the last one stands.
pub fn record_endpoint(span: &Span, host: &str, port: u16) {
    span.record("server.address", host);
    span.record("server.port", i64::from(port));
}

/// Says how many messages of a stream passed. The conventions have an event for each message instead,
/// which a stream of a million would not bear.
pub fn record_messages(span: &Span, sent: u64, received: u64) {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    span.record("rpc.messages.sent", number(sent));
    span.record("rpc.messages.received", number(received));
}

/// Says how the call ended that a client span is of: every failure is an error to its caller.
pub fn end_client_span(span: &Span, code: Code) {
    end(span, code, code != Code::Ok);
}

/// Says how the call ended that a span of a server, job or event is of: an error only if the server is
/// to blame.
pub fn end_server_span(span: &Span, code: Code) {
    let ours = [Code::Unknown, Code::DeadlineExceeded, Code::Unimplemented, Code::Internal, Code::Unavailable, Code::DataLoss];
    end(span, code, ours.contains(&code));
}

fn end(span: &Span, code: Code, is_error: bool) {
    if span.is_disabled() {
        return;
    }
    // Inside, since a span ends when it was left last: a stream outlives what opened it.
    span.in_scope(|| {
        span.record("rpc.grpc.status_code", code.number());
        if is_error {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", code.name());
        }
    });
}

/// `weft.orders.v1.Orders/GetOrder`
fn name(method: &MethodContract) -> &'static str {
    method.path.trim_start_matches('/')
}

/// True if the span around is of the trace.
fn is_inside(trace: &TraceContext) -> bool {
    Span::current().context().span().span_context().trace_id().to_bytes() == trace.trace_id
}
