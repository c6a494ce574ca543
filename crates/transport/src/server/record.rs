//! What is written down of a call when it has ended: one line, one observation, and the end of its span.
//!
//! A call whose answers stream has ended when the last of them is taken, or when nobody takes them any
//! more.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::Span;
use weft_call::{Call, Code, Error, MethodContract, RequestId, Streaming, TraceContext};
use weft_telemetry::{CallLines, MethodMetrics, Record, end_server_span, log_call};
use weft_workload_identity::PeerIdentity;

use crate::passage::{Passed, Way, ending};

/// A call that has not ended yet.
pub(super) struct Running {
    pub(super) method: &'static MethodContract,
    pub(super) metrics: MethodMetrics,
    pub(super) peer: Arc<PeerIdentity>,
    pub(super) started: Instant,
    /// What all log lines of the call say.
    pub(super) lines: CallLines,
    /// Its span in the trace.
    pub(super) span: Span,
    /// The call itself, once it is admitted.
    pub(super) admitted: Option<Call>,
    /// The messages of its streams.
    pub(super) passed: Option<Passed>,
}

impl Running {
    /// What all log lines of the call say.
    pub(super) fn lines(method: &MethodContract, request_id: &RequestId, trace: &TraceContext) -> CallLines {
        CallLines { request_id: request_id.clone(), trace: trace.clone(), domain: method.domain, method: method.name }
    }

    /// Ends with these answers.
    pub(super) fn watching(self, answers: Streaming<Bytes>) -> Streaming<Bytes> {
        let answers = match &self.passed {
            Some(passed) => passed.counting(Way::Sent, answers),
            None => answers,
        };
        ending(answers, move |error| self.end(error))
    }

    /// Has ended, by this error or by none.
    pub(super) fn end(self, error: Option<&Error>) {
        let Self { method, metrics, peer, started, lines, span, admitted, passed } = self;
        let code = error.map_or(Code::Ok, Error::code);
        metrics.observe(code, started.elapsed());
        if let Some(passed) = passed {
            passed.record(&span);
        }
        end_server_span(&span, code);
        let said = lines.clone();
        said.around_all(|| {
            log_cause(error);
            // What domains ask one another over and over is of interest only when it fails.
            if error.is_none() && !method.serves_users() {
                return tracing::debug!("call finished");
            }
            log_call(&Record {
                request_id: lines.request_id.as_str(),
                trace_id: &lines.trace.trace(),
                domain: method.domain,
                method: method.name,
                principal: admitted.map(|call| call.principal().to_string()).as_deref(),
                peer: Some(peer.workload.as_str()),
                duration: started.elapsed(),
                code,
                reason: error.and_then(Error::reason_name),
            });
        });
    }
}

/// The cause of a failure that is ours, which the caller is not told.
fn log_cause(failure: Option<&Error>) {
    let Some(error) = failure else { return };
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    match error.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => {
            tracing::error!(error = error.message(), cause = causes.join(": "), "the call failed");
        }
        _ if !causes.is_empty() => tracing::debug!(error = error.message(), cause = causes.join(": "), "the call was refused"),
        _ => {}
    }
}
