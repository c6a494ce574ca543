//! Handles the events that a domain subscribes to, each once.
//!
//! Problem: an event comes again after a crash, or because an acknowledgement was lost; a process that
//! was thought dead goes on; one event fails while others wait behind it.
//!
//! Rule: the record that an event is handled is written in the transaction of its handlers, and only
//! under the consumer's fence. Events of one key are handled one after the other, of several keys at
//! once. An event whose handling fails is deferred ([`crate::deferred`]), and so is what follows it of the
//! same key. Only then is the carrier told.
//!
//! Recovery: what was not acknowledged comes again, and what is recorded is passed over.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    hash::{BuildHasher, DefaultHasher},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::try_join_all};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use weft_call::{
    BoxFuture, Call, CallBuilder, Clock, Code, Deadline, Error, MeshReason, Principal, Result, Scope, TopicPattern, TraceContext,
};
use weft_store::{Store, Tx, statements};
use weft_telemetry::{Metrics, end_server_span, event_span, within};

use crate::{
    Carrier, Envelope, Positions, Subscription, deferred,
    lease::{Ended, MEASURE, Together, Work},
};

/// How long the carrier is listened to before deferred events are looked at again.
const LISTEN: Duration = Duration::from_millis(250);
/// The longest that handling one event may take.
const HANDLING_LIMIT: Duration = Duration::from_secs(30);
/// Keys whose events are handled at once.
const LANES: u64 = 8;

/// The name of the work.
const CONSUMER: &str = "consumer";

statements! {
    /// Nothing is added if it was handled before, or under an old fence.
    RECORD_HANDLED =
        postgres "INSERT INTO weft_event_handled (tenant_id, event_id, handled_at) \
            SELECT CAST($1 AS UUID), CAST($2 AS UUID), CAST($3 AS TIMESTAMPTZ) FROM weft_event_fence \
            WHERE name = $4 AND fence = $5 ON CONFLICT DO NOTHING"
        sqlite "INSERT INTO weft_event_handled (tenant_id, event_id, handled_at) \
            SELECT $1, $2, $3 FROM weft_event_fence WHERE name = $4 AND fence = $5 ON CONFLICT DO NOTHING";
    COUNT_HANDLED = "SELECT count(*) FROM weft_event_handled WHERE tenant_id = $1 AND event_id = $2";
    system EXPIRE_HANDLED =
        "DELETE FROM weft_event_handled WHERE (tenant_id, event_id) IN \
         (SELECT tenant_id, event_id FROM weft_event_handled WHERE handled_at < $1 ORDER BY handled_at LIMIT 500)";
}

/// What handles an event, in the transaction that records it.
pub type Handle = Arc<dyn for<'a> Fn(&'a Call, &'a Tx, &'a Envelope) -> BoxFuture<'a, Result<()>> + Send + Sync>;

/// A handler of a domain, and what it subscribes to.
#[derive(Clone)]
pub struct Handler {
    /// The topics that it handles.
    pub pattern: TopicPattern,
    /// What it does.
    pub handle: Handle,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handler").field(&self.pattern.as_str()).finish()
    }
}

/// Handles what a domain subscribes to, whenever it is this process's turn.
#[derive(Debug)]
pub struct Consumer {
    work: Work,
    carrier: Arc<dyn Carrier>,
    handlers: Vec<Handler>,
    sources: Vec<String>,
    metrics: Metrics,
}

/// What became of an event.
enum Outcome {
    /// Its effects are made, now or before.
    Handled,
    /// An earlier event of its key is deferred.
    Behind,
    /// Another process handles events now.
    Fenced,
}

impl Consumer {
    /// The consumer of the domain whose store it is, for events of these domains.
    pub fn new(
        store: Store,
        carrier: Arc<dyn Carrier>,
        clock: Clock,
        lease: Duration,
        handlers: Vec<Handler>,
        sources: Vec<String>,
        metrics: Metrics,
    ) -> Self {
        Self { work: Work { store, name: CONSUMER, clock, lease, together: None }, carrier, handlers, sources, metrics }
    }

    /// Handles events only where these works are done too.
    #[must_use]
    pub fn together(mut self, works: Together) -> Self {
        self.work.together = Some(works);
        self
    }

    /// Handles events until `stop`; those under way come again.
    pub async fn run(self, stop: CancellationToken) {
        self.work
            .run(&stop, async |fence| {
                let outcome = tokio::select! {
                    outcome = self.turn(fence) => outcome,
                    outcome = self.measure() => outcome,
                };
                match outcome {
                    Ok(never) => match never {},
                    Err(ended) => ended,
                }
            })
            .await;
    }

    /// Tells now and then what waits.
    async fn measure(&self) -> Result<Infallible, Ended> {
        loop {
            let (parked, deferred) = deferred::count(&self.work.store, &self.work.call()).await?;
            self.metrics.set_events_deferred(self.work.store.domain(), parked, deferred);
            tokio::time::sleep(MEASURE).await;
        }
    }

    async fn turn(&self, fence: i64) -> Result<Infallible, Ended> {
        let patterns = self.handlers.iter().map(|handler| handler.pattern.clone()).collect();
        let consumer = self.work.store.domain();
        let positions = Positions::new(self.work.clone(), fence);
        let subscription = Subscription { consumer, patterns, sources: self.sources.clone(), fence, positions };
        let mut source = self.carrier.subscribe(subscription).await?;
        let turn = Turn { consumer: self, fence, has_deferred: AtomicBool::new(false) };
        turn.look_for_deferred().await?;
        loop {
            let events = source.receive(LISTEN).await?;
            turn.take(events).await?;
            source.acknowledge().await?;
            if turn.has_deferred() {
                turn.retry().await?;
            }
        }
    }
}

/// A turn of a consumer, under one fence.
struct Turn<'a> {
    consumer: &'a Consumer,
    fence: i64,
    /// Whether events of some key are deferred, so that each key must be asked about.
    has_deferred: AtomicBool,
}

impl Turn<'_> {
    fn store(&self) -> &Store {
        &self.consumer.work.store
    }

    fn has_deferred(&self) -> bool {
        self.has_deferred.load(Ordering::Relaxed)
    }

    async fn look_for_deferred(&self) -> Result<(), Ended> {
        let any = deferred::any(self.store(), &self.consumer.work.call()).await?;
        self.has_deferred.store(any, Ordering::Relaxed);
        Ok(())
    }

    /// Handles or defers all of them: several keys at once, each key in order.
    async fn take(&self, events: Vec<Envelope>) -> Result<(), Ended> {
        let mut lanes: BTreeMap<u64, Vec<Envelope>> = BTreeMap::new();
        let hasher = std::hash::BuildHasherDefault::<DefaultHasher>::default();
        for event in events {
            let lane = hasher.hash_one((&event.source, event.tenant, &event.key)) % LANES;
            lanes.entry(lane).or_default().push(event);
        }
        let lanes = lanes.into_values().map(|events| async move {
            for event in events {
                self.take_one(&event).await?;
            }
            Ok::<_, Ended>(())
        });
        try_join_all(lanes).await.map(drop)
    }

    async fn take_one(&self, event: &Envelope) -> Result<(), Ended> {
        let failure = match self.handle(event, false).await {
            Ok(Outcome::Handled) => return Ok(()),
            Ok(Outcome::Fenced) => return Err(Ended::TakenOver),
            Ok(Outcome::Behind) => None,
            Err(error) => Some(error),
        };
        self.has_deferred.store(true, Ordering::Relaxed);
        let call = self.call(event);
        if let Some(error) = &failure {
            report(&call, event, error, "an event could not be handled: it and those behind it of its key wait");
        }
        if deferred::defer(self.store(), &call, event, failure.as_ref(), (CONSUMER, self.fence)).await? {
            return Ok(());
        }
        // Handled meanwhile, or fenced off: the next try tells.
        match self.handle(event, false).await {
            Ok(Outcome::Fenced) => Err(Ended::TakenOver),
            Ok(Outcome::Handled | Outcome::Behind) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tries deferred events again whose time has come, until none is due.
    async fn retry(&self) -> Result<(), Ended> {
        loop {
            let due = deferred::due(self.store(), &self.consumer.work.call()).await?;
            if due.is_empty() {
                return self.look_for_deferred().await;
            }
            try_join_all(due.iter().map(|waiting| self.retry_one(waiting))).await?;
        }
    }

    async fn retry_one(&self, waiting: &deferred::Waiting) -> Result<(), Ended> {
        let event = match Envelope::from_json(waiting.envelope.as_bytes()) {
            Ok(event) => event,
            Err(error) => {
                let error = Error::internal(error);
                return Ok(deferred::park(self.store(), &self.consumer.work.call(), waiting, &error).await?);
            }
        };
        match self.handle(&event, true).await {
            Ok(Outcome::Handled) => Ok(()),
            Ok(Outcome::Fenced | Outcome::Behind) => Err(Ended::TakenOver),
            Err(error) => {
                let call = self.call(&event);
                report(&call, &event, &error, "an event could not be handled again");
                Ok(deferred::failed(self.store(), &call, waiting, &error).await?)
            }
        }
    }

    /// The call that handles an event, in its trace.
    fn call(&self, event: &Envelope) -> Call {
        self.call_within(event, event.trace.clone())
    }

    fn call_within(&self, event: &Envelope, trace: TraceContext) -> Call {
        let mut parts = CallBuilder::new(self.consumer.work.clock.clone());
        parts.principal = Principal::Job { domain: self.store().domain(), name: CONSUMER };
        parts.scope = Scope::Tenant(event.tenant);
        parts.request_id = event.request_id.clone();
        parts.trace = trace;
        parts.causation = Some(event.id);
        parts.deadline = Some(Deadline::after(HANDLING_LIMIT));
        parts.build()
    }

    fn handlers<'e>(&self, event: &'e Envelope) -> impl Iterator<Item = &Handler> + use<'_, 'e> {
        self.consumer.handlers.iter().filter(|handler| handler.pattern.matches(&event.topic))
    }

    /// Records an event and runs its handlers, at once or not at all.
    async fn handle(&self, event: &Envelope, was_deferred: bool) -> Result<Outcome> {
        if self.handlers(event).next().is_none() {
            return Err(Error::new(MeshReason::MethodUnknown, "nothing here handles this topic any more"));
        }
        let span = event_span(self.store().domain(), &event.topic, &event.id, &event.trace);
        let outcome = self.handle_once(event, was_deferred, within(&span, &event.trace)).instrument(span.clone()).await;
        end_server_span(&span, outcome.as_ref().err().map_or(Code::Ok, Error::code));
        outcome
    }

    async fn handle_once(&self, event: &Envelope, was_deferred: bool, trace: TraceContext) -> Result<Outcome> {
        let call = self.call_within(event, trace);
        let (fence, now, has_deferred) = (self.fence, call.now(), self.has_deferred());
        let work = async |tx: Tx| {
            if was_deferred {
                deferred::settle(&tx, event).await?;
            } else if has_deferred && deferred::is_behind(&tx, event).await? {
                return Ok(Outcome::Behind);
            }
            if !record(&tx, event, now, fence).await? {
                let handled = tx.run(&COUNT_HANDLED).bind(event.id).fetch_value::<i64>().await? > 0;
                return Ok(if handled { Outcome::Handled } else { Outcome::Fenced });
            }
            for handler in self.handlers(event) {
                (handler.handle)(&call, &tx, event).await?;
            }
            Ok(Outcome::Handled)
        };
        let handling = AssertUnwindSafe(self.store().transact(&call, work)).catch_unwind();
        match tokio::time::timeout(HANDLING_LIMIT, handling).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::new(MeshReason::Internal, "a handler panicked")),
            Err(_) => Err(Error::new(MeshReason::DeadlineSpent, "handling an event took too long")),
        }
    }
}

async fn record(tx: &Tx, event: &Envelope, now: chrono::DateTime<chrono::Utc>, fence: i64) -> Result<bool> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::forgets_what_is_handled() {
        return Ok(true);
    }
    let run = tx.run(&RECORD_HANDLED).bind(event.id).bind(now).bind(CONSUMER).bind(fence);
    Ok(run.execute().await? == 1)
}

fn report(call: &Call, event: &Envelope, error: &Error, what: &'static str) {
    let (request_id, cause) = (call.request_id(), std::error::Error::source(error));
    let (event, topic) = (event.id, event.topic.as_str());
    tracing::warn!(%request_id, %event, topic, %error, ?cause, "{what}");
}

/// True if trying again helps, sooner or later, whatever the event.
pub(crate) fn is_passing(error: &Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted | Code::Cancelled)
}

/// Rows that one transaction deletes; the statement above says the same.
const EXPIRE_BATCH: u64 = 500;

/// Forgets what was handled before `before`. The call is in a system scope.
pub async fn expire_handled(store: &Store, call: &Call, before: chrono::DateTime<chrono::Utc>) -> Result<u64> {
    let mut expired = 0;
    loop {
        let batch = store.queue(call, async |tx: Tx| Ok(tx.run(&EXPIRE_HANDLED).bind(before).execute().await?)).await?;
        expired += batch;
        if batch < EXPIRE_BATCH {
            return Ok(expired);
        }
    }
}
