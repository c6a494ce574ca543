//! Runs the sagas of a domain, one step after the other.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use weft_call::{
    BoxFuture, Call, CallBuilder, Clock, Code, Error, Fence, IdempotencyKey, MeshReason, Principal, RequestId, Result, Scope,
    TenantId,
};
use weft_store::{Read, Store, Tx, statements};
use weft_telemetry::{end_server_span, job_span, start_trace};

use crate::{
    definition::{Definition, Work},
    record::{Saga, Sagas, State},
};

/// How long nothing is looked for unless this process begins a saga: other processes may.
const IDLE: Duration = Duration::from_millis(250);
/// Sagas that one process conducts at once.
const AT_ONCE: usize = 16;
/// The pause after a first failed attempt; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Attempts after which a step that fails for reasons of its own counts as refused, and what fails to be undone as stuck.
const ATTEMPTS: i64 = 8;
/// What is kept of an error, in characters.
const ERROR_LIMIT: usize = 500;

statements! {
    system LIST_DUE_SAGAS =
        "SELECT id FROM weft_saga WHERE (state = 'running' OR state = 'undoing') AND due_at <= $1 AND leased_until <= $1 \
         ORDER BY due_at, id LIMIT 16";
    system LEASE_SAGA =
        "UPDATE weft_saga SET leased_until = $2 WHERE id = $1 AND leased_until <= $3 AND due_at <= $3 \
         AND (state = 'running' OR state = 'undoing') \
         RETURNING tenant_id, id, name, state, position, data, attempts, error, on_behalf_of, request_id, due_at, create_time, \
         update_time";
    system KEEP_SAGA = "UPDATE weft_saga SET leased_until = $2 WHERE id = $1";
    system SAVE_SAGA =
        "UPDATE weft_saga SET state = $2, position = $3, data = $4, attempts = $5, error = $6, due_at = $7, update_time = $8, \
         leased_until = $9 WHERE id = $1";
}

/// One step over JSON whose handler is known.
type ReadyWork = Arc<dyn Fn(Call, String) -> BoxFuture<'static, Result<String>> + Send + Sync>;

struct ReadyStep {
    name: &'static str,
    work: ReadyWork,
    undo: Option<ReadyWork>,
}

/// Runs the sagas of a domain.
pub struct Conductor {
    inner: Inner,
}

struct Inner {
    store: Store,
    sagas: Sagas,
    clock: Clock,
    lease: Duration,
    definitions: HashMap<&'static str, Vec<ReadyStep>>,
}

impl Conductor {
    /// For the sagas of one domain. The lease of a process that dies holds for `lease`.
    pub fn new(store: Store, sagas: Sagas, clock: Clock, lease: Duration) -> Self {
        Self { inner: Inner { store, sagas, clock, lease, definitions: HashMap::new() } }
    }

    /// With a definition, run by a handler.
    #[must_use]
    pub fn with<H: Send + Sync + 'static, D>(mut self, definition: Definition<H, D>, handler: &Arc<H>) -> Self {
        let ready = |work: Work<H>| -> ReadyWork {
            let handler = Arc::clone(handler);
            Arc::new(move |call, data| {
                let (handler, work) = (Arc::clone(&handler), Arc::clone(&work));
                Box::pin(async move { work(&handler, &call, &data).await })
            })
        };
        let steps = definition.steps.into_iter();
        let steps = steps.map(|step| ReadyStep { name: step.name, work: ready(step.work), undo: step.undo.map(ready) }).collect();
        self.inner.definitions.insert(definition.name, steps);
        self
    }

    /// Conducts until `stop`; steps under way are finished.
    pub async fn run(self, stop: CancellationToken) {
        let inner = Arc::new(self.inner);
        let mut running: JoinSet<()> = JoinSet::new();
        loop {
            let due = if running.len() < AT_ONCE { inner.due().await } else { Ok(Vec::new()) };
            let mut found = false;
            for id in due.unwrap_or_default().into_iter().take(AT_ONCE.saturating_sub(running.len())) {
                if let Ok(Some((saga, fence))) = inner.take(id).await {
                    found = true;
                    let inner = Arc::clone(&inner);
                    let stop = stop.clone();
                    running.spawn(async move { inner.conduct(saga, fence, &stop).await });
                }
            }
            if found {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = inner.sagas.begun.notified() => {}
                Some(_) = running.join_next() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }
}

/// What came of a step.
enum Outcome {
    Went(String),
    Failed(Error),
    TakenOver,
}

impl Inner {
    fn system(&self) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.principal = Principal::Job { domain: self.store.domain(), name: "sagas" };
        parts.scope = Scope::System("conducts sagas");
        parts.build()
    }

    fn fenced(&self, fence: &Fence) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.principal = Principal::Job { domain: self.store.domain(), name: "sagas" };
        parts.scope = Scope::System("conducts sagas");
        parts.fence = Some(fence.clone());
        parts.build()
    }

    /// The call of a step: on the domain's own account, for the tenant, under a key that repeats keep.
    fn step_call(&self, saga: &Saga, fence: &Fence, step: &str) -> Result<Call> {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.principal = Principal::Job { domain: self.store.domain(), name: "sagas" };
        parts.on_behalf_of = Some(saga.on_behalf_of.as_str().into());
        parts.scope = Scope::Tenant(TenantId(saga.tenant_id));
        parts.request_id = RequestId::parse(&saga.request_id).unwrap_or_else(|_| RequestId::fresh());
        parts.trace = start_trace();
        parts.fence = Some(fence.clone());
        let key = IdempotencyKey::parse(&format!("saga-{}-{step}", saga.id)).map_err(Error::internal)?;
        parts.idempotency_key = Some(key);
        Ok(parts.build())
    }

    fn lease_end(&self) -> DateTime<Utc> {
        later(self.clock.now(), self.lease)
    }

    async fn due(&self) -> Result<Vec<Uuid>> {
        let now = self.clock.now();
        let list = async |read: Read| Ok(read.run(&LIST_DUE_SAGAS).bind(now).fetch_values().await?);
        let due = self.store.read(&self.system(), list).await;
        due.inspect_err(|error| tracing::warn!(domain = self.store.domain(), %error, "sagas wait"))
    }

    async fn take(&self, id: Uuid) -> Result<Option<(Saga, Fence)>> {
        let end = self.lease_end();
        let take = async |tx: Tx| {
            let now = self.clock.now();
            let saga: Option<Saga> = tx.run(&LEASE_SAGA).bind(id).bind(end).bind(now).fetch_optional().await?;
            let Some(saga) = saga else { return Ok(None) };
            let fence = tx.raise_fence(&work(id)).await?;
            Ok(Some((saga, fence)))
        };
        self.store.transact(&self.system(), take).await
    }

    /// Runs a saga until it has ended, has to wait, or is lost to another process.
    async fn conduct(&self, mut saga: Saga, fence: Fence, stop: &CancellationToken) {
        loop {
            let Some(steps) = self.definitions.get(saga.name.as_str()) else {
                tracing::error!(domain = self.store.domain(), saga = saga.name, id = %saga.id, "no such saga is defined here");
                saga.due_at = later(self.clock.now(), LONGEST_PAUSE);
                let _ = self.save(&saga, &fence, false).await;
                return;
            };
            let goes_on = match self.advance(&mut saga, &fence, steps).await {
                Some(goes_on) => goes_on && !stop.is_cancelled(),
                None => return,
            };
            if let Err(error) = self.save(&saga, &fence, goes_on).await {
                // The lease ends by itself, and the step is done again under its key.
                tracing::warn!(domain = self.store.domain(), id = %saga.id, %error, "a saga's step was not recorded");
                return;
            }
            if !goes_on {
                return;
            }
        }
    }

    /// Does one step or undoes one: whether the saga goes on at once, or nothing if another process has it.
    async fn advance(&self, saga: &mut Saga, fence: &Fence, steps: &[ReadyStep]) -> Option<bool> {
        let forward = saga.state() == State::Running;
        let at = usize::try_from(if forward { saga.position } else { saga.position - 1 }).ok();
        let Some(step) = at.and_then(|at| steps.get(at)) else {
            saga.set_state(if forward { State::Done } else { State::Undone });
            return Some(false);
        };
        let (work, name) = match (forward, &step.undo) {
            (true, _) => (Some(&step.work), step.name.to_owned()),
            (false, undo) => (undo.as_ref(), format!("undo-{}", step.name)),
        };
        let outcome = match work {
            Some(work) => self.run_step(saga, fence, &name, work).await,
            None => Outcome::Went(saga.data.clone()),
        };
        match outcome {
            Outcome::TakenOver => return None,
            Outcome::Went(data) => {
                saga.data = data;
                saga.position += if forward { 1 } else { -1 };
                (saga.attempts, saga.error) = (0, if forward { String::new() } else { saga.error.clone() });
                let over = if forward { usize::try_from(saga.position) == Ok(steps.len()) } else { saga.position == 0 };
                if over {
                    saga.set_state(if forward { State::Done } else { State::Undone });
                }
                return Some(!over);
            }
            Outcome::Failed(error) => self.failed(saga, &name, forward, &error),
        }
        // What was turned around goes on at once; what is tried again waits.
        Some(forward && saga.state() == State::Undoing)
    }

    fn failed(&self, saga: &mut Saga, step: &str, forward: bool, error: &Error) {
        saga.attempts += 1;
        saga.error = text(step, error);
        let (domain, name, attempts) = (self.store.domain(), saga.name.as_str(), saga.attempts);
        tracing::warn!(domain, saga = name, id = %saga.id, step, attempts, %error, "a step of a saga failed");
        let tries_again = is_passing(error) || (is_own(error) && saga.attempts < ATTEMPTS);
        let now = self.clock.now();
        if tries_again {
            saga.due_at = later(now, pause(saga.attempts));
        } else if forward {
            // The step itself may have been done in part.
            saga.set_state(State::Undoing);
            (saga.position, saga.attempts, saga.due_at) = (saga.position + 1, 0, now);
        } else if saga.attempts < ATTEMPTS {
            saga.due_at = later(now, pause(saga.attempts));
        } else {
            saga.set_state(State::Stuck);
        }
    }

    async fn run_step(&self, saga: &Saga, fence: &Fence, name: &str, work: &ReadyWork) -> Outcome {
        let call = match self.step_call(saga, fence, name) {
            Ok(call) => call,
            Err(error) => return Outcome::Failed(error),
        };
        let span = job_span(self.store.domain(), name, call.trace());
        let work = tokio::spawn(work(call, saga.data.clone()).instrument(span.clone()));
        // Dropped, it is cancelled: a step is not left running when its lease is lost.
        let work = AbortOnDrop(work);
        let outcome = tokio::select! {
            result = work => match result {
                Ok(Ok(data)) => Outcome::Went(data),
                Ok(Err(error)) => Outcome::Failed(error),
                Err(panic) => Outcome::Failed(Error::internal(panic)),
            },
            () = self.keep(saga.id, fence) => Outcome::TakenOver,
        };
        let code = match &outcome {
            Outcome::Went(_) => Code::Ok,
            Outcome::Failed(error) => error.code(),
            Outcome::TakenOver => Code::Aborted,
        };
        end_server_span(&span, code);
        outcome
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, id: Uuid, fence: &Fence) {
        let call = self.fenced(fence);
        loop {
            self.clock.sleep(self.lease / 3).await;
            let end = self.lease_end();
            let keep = async |tx: Tx| Ok(tx.run(&KEEP_SAGA).bind(id).bind(end).execute().await?);
            match self.store.transact(&call, keep).await {
                Err(error) if error.reason() == Some(MeshReason::StoreConflict) => return,
                // The lease lasts for two more attempts.
                Err(error) => tracing::warn!(domain = self.store.domain(), %id, %error, "a lease waits"),
                Ok(_) => {}
            }
        }
    }

    /// Writes where a saga stands; the lease is given back unless it goes on at once.
    async fn save(&self, saga: &Saga, fence: &Fence, goes_on: bool) -> Result<()> {
        let leased_until = if goes_on { self.lease_end() } else { DateTime::UNIX_EPOCH };
        let is_over = matches!(saga.state(), State::Done | State::Undone);
        let save = async |tx: Tx| {
            let run = tx.run(&SAVE_SAGA).bind(saga.id).bind(saga.state().as_str()).bind(saga.position).bind(&saga.data);
            let run = run.bind(saga.attempts).bind(&saga.error).bind(saga.due_at).bind(self.clock.now()).bind(leased_until);
            run.execute().await?;
            if is_over {
                tx.forget_fence(&work(saga.id)).await?;
            }
            Ok(())
        };
        self.store.transact(&self.fenced(fence), save).await
    }
}

/// A task that is cancelled when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The name of a saga's lease.
fn work(id: Uuid) -> String {
    format!("saga/{id}")
}

fn later(now: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    pause.mul_f64(0.75 + fastrand::f64() / 4.0)
}

/// True for what another time or another replica may mend: it is tried for ever.
fn is_passing(error: &Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled)
}

/// True for what is a fault and no refusal: it is tried some times.
fn is_own(error: &Error) -> bool {
    matches!(error.code(), Code::Internal | Code::Unknown | Code::DataLoss)
}

/// What operators are told: the step, the error and its cause, which stays in the domain's own database.
fn text(step: &str, error: &Error) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{step}: {error}{cause}").replace('\0', " ").chars().take(ERROR_LIMIT).collect()
}

impl fmt::Debug for Conductor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conductor").field("domain", &self.inner.store.domain()).finish_non_exhaustive()
    }
}
