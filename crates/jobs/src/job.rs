//! A job, and its runs.

use std::{fmt, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use weft_call::{BoxFuture, Call, Clock, Code, Error, MeshReason, Result};
use weft_store::Store;
use weft_telemetry::{end_server_span, job_span, start_trace, within};

use crate::{
    Schedule,
    lease::{Look, Turn, Turns},
};

/// The pause after the database did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// How often somebody who wants a run at once looks whether the one under way has ended.
const LOOK: Duration = Duration::from_millis(20);

/// One run: it gets a call on the job's account, over all tenants, whose writes are fenced.
pub type Run = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A job of a domain.
#[derive(Clone)]
pub struct Job {
    turns: Turns,
    run: Run,
}

impl Job {
    /// A job of the domain whose store it is. The lease of a process that dies holds for `lease`.
    pub fn new(store: Store, name: &'static str, schedule: Schedule, clock: Clock, lease: Duration, run: Run) -> Self {
        Self { turns: Turns { store, name, schedule, clock, lease }, run }
    }

    /// The domain whose job it is.
    pub fn domain(&self) -> &'static str {
        self.turns.store.domain()
    }

    /// Its name in the domain.
    pub fn name(&self) -> &'static str {
        self.turns.name
    }

    /// Runs it whenever it is due and this process's turn, until `stop`; a run under way is finished.
    pub async fn repeat(self, stop: CancellationToken) {
        let mut is_known = false;
        loop {
            let turn = async {
                loop {
                    match self.next_look(&mut is_known).await {
                        Ok(Look::Taken(turn)) => return turn,
                        Ok(Look::Wait(span)) => self.turns.clock.sleep(span).await,
                        Err(error) => {
                            let (domain, job) = (self.domain(), self.name());
                            tracing::warn!(domain, job, %error, cause = ?std::error::Error::source(&error), "a job waits");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            };
            let turn = tokio::select! {
                () = stop.cancelled() => return,
                turn = turn => turn,
            };
            // The failure is logged; the next run is the recovery.
            let _ = self.run_in(&turn).await;
        }
    }

    /// Runs it once, now, whatever its time; waits for a run that is under way, in whichever process.
    pub async fn run_now(&self) -> Result<()> {
        self.turns.add().await?;
        loop {
            match self.turns.look(true).await? {
                Look::Taken(turn) => return self.run_in(&turn).await,
                Look::Wait(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn next_look(&self, is_known: &mut bool) -> Result<Look> {
        if !*is_known {
            self.turns.add().await?;
            *is_known = true;
        }
        self.turns.look(false).await
    }

    /// Runs it under the lease, and gives that back.
    async fn run_in(&self, turn: &Turn) -> Result<()> {
        let mut parts = self.turns.call();
        let trace = start_trace();
        let span = job_span(self.domain(), self.name(), &trace);
        parts.trace = within(&span, &trace);
        parts.fence = Some(turn.fence.clone());
        let call = parts.build();
        let (domain, job, request_id) = (self.domain(), self.name(), call.request_id().clone());
        let result = tokio::select! {
            result = (self.run)(call).instrument(span.clone()) => result,
            () = self.turns.keep(turn) => Err(Error::new(MeshReason::StoreConflict, "another process has taken the job over")),
        };
        end_server_span(&span, result.as_ref().err().map_or(Code::Ok, Error::code));
        if let Err(error) = &result {
            tracing::error!(%request_id, domain, job, %error, cause = ?std::error::Error::source(error), "a job failed");
        }
        if let Err(error) = self.turns.end(turn).await {
            // The lease ends by itself, and the job runs again.
            tracing::warn!(domain, job, %error, "the end of a job's run was not recorded");
        }
        result
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("domain", &self.domain()).field("name", &self.name()).finish_non_exhaustive()
    }
}
