//! Periodic work of a domain.
//!
//! A job runs after each period on the domain's clock, one run at a time, on the domain's own
//! account ([`Principal::Job`]) and over all tenants ([`Scope::System`]). A run that fails is logged
//! and the next one comes in its turn, so a job must leave its work in a state that the next run
//! can take up.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use weft_call::{BoxFuture, Call, CallBuilder, Clock, Code, Error, Principal, Result, Scope};
use weft_telemetry::{end_server_span, job_span, start_trace};

/// It forgets old answers of KEYED methods.
pub(crate) const EXPIRE_ANSWERS: &str = "expire_idempotency_records";
/// It forgets old events, sent or handled.
pub(crate) const EXPIRE_EVENTS: &str = "expire_events";
/// The jobs that every domain has.
pub(crate) const OF_EVERY_DOMAIN: [(&str, Duration); 2] =
    [(EXPIRE_ANSWERS, Duration::from_hours(1)), (EXPIRE_EVENTS, Duration::from_hours(1))];

/// A job: `async fn expire(&self, call: &Call) -> Result<()>` of the handler.
pub trait JobFn<'a, H>: Send + Sync + 'static {
    /// Runs it once.
    fn run(&self, handler: &'a H, call: &'a Call) -> BoxFuture<'a, Result<()>>;
}

impl<'a, H, F, R> JobFn<'a, H> for F
where
    H: 'a,
    F: Fn(&'a H, &'a Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<()>> + Send + 'a,
{
    fn run(&self, handler: &'a H, call: &'a Call) -> BoxFuture<'a, Result<()>> {
        Box::pin(self(handler, call))
    }
}

/// One run of a job whose handler is known.
pub(crate) type Run = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A job that is ready to run.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) domain: &'static str,
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
    pub(crate) run: Run,
}

impl Job {
    /// Runs it once, now.
    pub(crate) async fn run_once(&self, clock: &Clock) -> Result<()> {
        let mut parts = CallBuilder::new(clock.clone());
        parts.principal = Principal::Job { domain: self.domain, name: self.name };
        parts.scope = Scope::System(self.name);
        parts.trace = start_trace();
        let call = parts.build();
        let request_id = call.request_id().clone();
        let span = job_span(self.domain, self.name, call.trace());
        let result = (self.run)(call).instrument(span.clone()).await;
        end_server_span(&span, result.as_ref().err().map_or(Code::Ok, Error::code));
        if let Err(error) = &result {
            let (domain, job) = (self.domain, self.name);
            tracing::error!(%request_id, domain, job, %error, cause = ?std::error::Error::source(error), "a job failed");
        }
        result
    }

    /// Runs it after each period until `stop`; a run under way is finished.
    pub(crate) async fn repeat(self, clock: Clock, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep(self.period) => {}
            }
            // The failure is logged; the next run is the recovery.
            let _ = self.run_once(&clock).await;
        }
    }
}
