//! What is written down of a finished request: one line and one observation.

use std::{error::Error as _, sync::Arc};

use tracing::Span;
use weft_call::{Code, Error, MethodContract};
use weft_telemetry::{Record, SideMetrics, is_call_logged, log_call};

use crate::arrival::Arrival;

/// What requests count as that fit no method: a name of the edge's own, so that a stranger cannot make
/// new ones.
const UNKNOWN: (&str, &str) = ("edge", "unknown");

/// A request under way. If it is dropped before it is finished, the client went away.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) arrival: Arrival,
    pub(crate) method: Option<&'static MethodContract>,
    pub(crate) principal: Option<String>,
    calls: Arc<SideMetrics>,
    /// Of the request, in its trace.
    span: Span,
    finished: bool,
}

impl Observation {
    pub(crate) fn new(arrival: Arrival, calls: Arc<SideMetrics>, span: Span) -> Self {
        Self { arrival, method: None, principal: None, calls, span, finished: false }
    }

    /// The request is for this method, and came by this route, as the contract writes it.
    pub(crate) fn is_for(&mut self, method: &'static MethodContract, verb: &str, route: &str) {
        self.method = Some(method);
        weft_telemetry::record_route(&self.span, verb, route);
    }

    /// Writes nothing down: health checks come every second and say nothing.
    pub(crate) fn discard(&mut self) {
        self.finished = true;
    }

    /// Writes down why it failed; where we are to blame, with the cause that the client is not told.
    pub(crate) fn fail(&mut self, error: &Error) {
        if matches!(error.code(), Code::Internal | Code::Unknown | Code::DataLoss) {
            let (mut causes, mut source) = (Vec::new(), error.source());
            while let Some(cause) = source {
                causes.push(cause.to_string());
                source = cause.source();
            }
            tracing::error!(error = error.message(), cause = causes.join(": "), "the request failed");
        }
        self.finish(error.code(), error.reason_name());
    }

    /// Writes it down.
    pub(crate) fn finish(&mut self, code: Code, reason: Option<&str>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        weft_telemetry::end_server_span(&self.span, code);
        let duration = self.arrival.started.elapsed();
        match self.method {
            Some(method) => self.calls.of(method).observe(code, duration),
            None => self.calls.observe(UNKNOWN, code, duration),
        }
        // What a line says is only written where one is.
        if !is_call_logged(code) {
            return;
        }
        let (domain, method) = self.method.map_or(UNKNOWN, |method| (method.domain, method.name));
        log_call(&Record {
            request_id: self.arrival.request_id.as_str(),
            trace_id: &self.arrival.trace.trace(),
            domain,
            method,
            principal: self.principal.as_deref(),
            peer: Some(&self.arrival.client.to_string()),
            duration,
            code,
            reason,
        });
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, None);
    }
}
