//! Logs, traces and metrics.
//!
//! # Problem
//!
//! Whoever looks into a failed call has an id from the caller and needs every line, span and count
//! that belongs to it, from every process it went through.
//!
//! # Rule
//!
//! - Lines go to stderr (stdout belongs to the command line): pretty on a terminal, otherwise a JSON
//!   object each. What names the call that an event belongs to (`request_id`, `trace_id`, `domain`,
//!   `method`; [`CallLines`]) stands on the event itself, so that a search needs no join.
//! - Traces are exported by OTLP over gRPC when an endpoint is set, and stay local otherwise. Context
//!   travels as W3C trace context ([`weft_call::TraceContext`]): [`adopt_parent`] on the way in,
//!   [`current`] on the way out. Whether a trace is recorded is decided where it begins
//!   ([`start_trace`]); calls have a span at both ends ([`client_span`], [`server_span`]) that ends when
//!   their last message has passed, and so have requests at the edge ([`http_span`]), jobs and events.
//! - Each finished call is one line ([`log_call`]) and one observation ([`MethodMetrics::observe`]).
//! - A secret is a type that redacts itself in `Debug`; nothing here looks behind it.
//!
//! # Recovery
//!
//! A collector that cannot be reached costs spans, never calls: the export queue is bounded and
//! drops what does not fit. [`Guard::shutdown`] sends what is still queued.

mod access_log;
mod call_lines;
mod error;
mod export;
mod init;
mod json_lines;
mod metrics;
mod propagation;
mod root;
mod sampling;
mod spans;
mod spans_http;
mod upkeep;

pub use access_log::{Record, is_call_logged, log_call};
pub use call_lines::CallLines;
pub use error::TelemetryError;
pub use init::{Format, Guard, LogFilter, Settings, check_level, init};
pub use metrics::{
    Again, ConnectionEnd, EdgeConnections, EndpointState, MethodMetrics, Metrics, OPEN_METRICS, Observed, OpenConnection,
    RecordsMetrics, ReplicaRead, Side, SideMetrics, States, Upstream, Work,
};
pub use propagation::{adopt_parent, current, within};
pub use sampling::{is_sampled, start_trace};
pub use spans::{
    LINES, client_span, end_client_span, end_server_span, event_span, job_span, record_endpoint, record_messages, server_span,
    store_span,
};
pub use spans_http::{HttpRequest, http_span, record_http_status, record_route};
pub use upkeep::Upkeep;
