//! A domain's store: reads, and writes that run again when a concurrent change won.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::Notify;
use tracing::{Instrument, Span};
use weft_call::{Answer, BoxFuture, Call, Digest, Error, Idempotency, Replays, Result, Scope, transaction};
use weft_telemetry::{Again, RecordsMetrics, Work, store_span};

use crate::{
    Dialect, PageTokens, Read, Settings, StoreError, Tx, fence,
    idempotency::{Claim, Key},
    measure::Measured,
    postgres::{Mode, Pool, Roles},
    replica::{self, Owed, Reading, Replica, Writer},
    session::Session,
    sqlite,
    transaction::Open,
};

/// How often a write is tried when concurrent changes win.
const ATTEMPTS: u32 = 10;

/// How often work is begun anew because its connection broke.
const BROKEN_LIMIT: u32 = 3;

/// The longest pause before a write runs again.
const PAUSE_LIMIT: Duration = Duration::from_millis(200);

/// The texts that a domain may run, by the text of the statement.
pub(crate) type Texts = HashMap<&'static str, Arc<str>>;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) domain: &'static str,
    pub(crate) database: String,
    pub(crate) backend: Backend,
    pub(crate) texts: Texts,
    pub(crate) settings: Arc<Settings>,
    /// Told whenever an event is committed.
    pub(crate) published: Arc<Notify>,
    /// Where the domain's work is counted, if it is.
    pub(crate) metrics: Option<RecordsMetrics>,
    /// Writes that readers of the replica could not be told of.
    pub(crate) owed: Owed,
}

impl Inner {
    pub(crate) fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Postgres { .. } => Dialect::Postgres,
            Backend::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// The replica, if the database has one.
    pub(crate) fn replica(&self) -> Option<&Arc<Replica>> {
        match &self.backend {
            Backend::Postgres { replica, .. } => replica.as_ref(),
            Backend::Sqlite(_) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Backend {
    Postgres { pool: Pool, roles: Roles, replica: Option<Arc<Replica>> },
    Sqlite(sqlite::Pools),
}

/// A domain's store. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
    page_tokens: PageTokens,
}

impl Store {
    pub(crate) fn new(inner: Arc<Inner>, page_tokens: PageTokens) -> Self {
        Self { inner, page_tokens }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The domain's name.
    pub fn domain(&self) -> &'static str {
        self.inner.domain
    }

    /// The span of work on the records; none unless the call's trace is recorded.
    fn span(&self, call: &Call, operation: &'static str) -> Span {
        let system = match self.inner.backend {
            Backend::Postgres { .. } => "postgresql",
            Backend::Sqlite(_) => "sqlite",
        };
        store_span(self.inner.domain, system, operation, call.trace())
    }

    /// Page tokens of this domain, which all its replicas can open.
    pub fn page_tokens(&self) -> &PageTokens {
        &self.page_tokens
    }

    /// Asks whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    /// Runs `work` on one unchanging view of the records. It can neither write nor call other
    /// domains: it holds one of the process's connections. It runs again if that breaks. In a method that says
    /// `replica` it may run on one; see [`crate::replica`].
    pub async fn read<T, F, R>(&self, call: &Call, work: F) -> Result<T>
    where
        F: Fn(Read) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        let measured = Measured::begin(self.inner.metrics.as_ref(), Work::Read);
        if let Some(reading) = Reading::of(&self.inner, call)
            && let Some(outcome) = self.read_from_replica(call, reading, &work).instrument(self.span(call, "read")).await?
        {
            return outcome;
        }
        for _ in 1..BROKEN_LIMIT {
            let (outcome, is_broken) = self.read_once(call, &work).await?;
            if outcome.is_ok() || !is_broken {
                return outcome;
            }
            measured.again(Again::Connection);
        }
        self.read_once(call, &work).await?.0
    }

    /// What came of it, and whether its connection broke.
    async fn read_once<T, F, R>(&self, call: &Call, work: &F) -> Result<(Result<T>, bool)>
    where
        F: Fn(Read) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        let reading = async {
            let open = Open::new(self.begin(call, Mode::Read).await?);
            let outcome = transaction::hold(work(open.read())).await;
            // Its rollback is not waited for: it is made when the connection returns to the pool.
            let session = open.close().await?;
            Ok((outcome, session.state.broken))
        };
        reading.instrument(self.span(call, "read")).await
    }

    /// What came of it on the replica; `None` if the primary must answer.
    async fn read_from_replica<T, F, R>(&self, call: &Call, reading: Reading<'_>, work: &F) -> Result<Option<Result<T>>>
    where
        F: Fn(Read) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        let limit = self.limit(call)?;
        let Some(session) = reading.begin(limit).await else { return Ok(None) };
        let open = Open::new(session);
        let outcome = transaction::hold(work(open.read())).await;
        let state = open.close().await?.state;
        // A replica breaks readers off whose view keeps it from replaying what the primary has thrown away.
        let is_answered = outcome.is_ok() || !(state.broken || state.conflict);
        reading.count(is_answered);
        Ok(is_answered.then_some(outcome))
    }

    /// Runs `work` in a serializable transaction and commits what it did if it returns `Ok`.
    ///
    /// It runs again, on fresh records, when a concurrent change won or the connection broke before the commit, whatever it
    /// returned then; so it changes nothing but records. In a KEYED method that came with a key the answer is stored
    /// with the change, and a repeat gets it without `work` being run; such a method makes exactly
    /// one write.
    ///
    /// `work` owns its [`Tx`] and returns the mesh's error, so that the future of a handler stays
    /// `Send` whatever `work` borrows: `store.write(call, async |tx| insert(&tx, &order).await)`.
    pub async fn write<T, F, R>(&self, call: &Call, work: F) -> Result<T>
    where
        T: Answer,
        F: Fn(Tx) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        let keyed = Key::of(call).map(|key| Keyed {
            key,
            encode: T::to_bytes,
            decode: |bytes| T::from_bytes(bytes).map_err(|error| StoreError::AnswerUnreadable(error.into())),
        });
        let answers = Answers { keyed: keyed.as_ref(), digest: Some(|answer| Digest::of(&answer.to_bytes())) };
        self.repeat(call, &answers, Mode::Write, &work).instrument(self.span(call, "write")).await
    }

    /// The same for work that is no method's answer, as in jobs and event consumers. A KEYED method
    /// that came with a key is refused: its answer would not be stored.
    pub async fn transact<T, F, R>(&self, call: &Call, work: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        if let Some(key) = Key::of(call) {
            return Err(StoreError::KeyedWritesOnce { method: key.method() }.into());
        }
        self.repeat(call, &Answers::NONE, Mode::Write, &work).instrument(self.span(call, "write")).await
    }

    /// For the mesh's own queues: work that takes entries in turn, under row locks alone. On PostgreSQL
    /// each of its statements sees what is committed then (READ COMMITTED), and it is no part of the
    /// serialization of others: a relay neither conflicts with what it relays nor makes it conflict.
    pub async fn queue<T, F, R>(&self, call: &Call, work: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        self.repeat(call, &Answers::NONE, Mode::Queue, &work).await
    }

    async fn repeat<T, F, R>(&self, call: &Call, answers: &Answers<'_, T>, mode: Mode, work: &F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        if let Some(method) = call.method().filter(|method| method.idempotency == Idempotency::Read) {
            return Err(StoreError::ReadMethodWrites { method: method.path }.into());
        }
        if let Some(keyed) = answers.keyed.filter(|_| call.has_written()) {
            return Err(StoreError::KeyedWritesOnce { method: keyed.key.method() }.into());
        }
        // Queues are looked at again and again, and are nobody's work on records.
        let metrics = self.inner.metrics.as_ref().filter(|_| matches!(mode, Mode::Write));
        let measured = Measured::begin(metrics, Work::Write);
        let mut broken = 0;
        for attempt in 0..ATTEMPTS {
            match self.attempt(call, answers, mode, work).await {
                Ok(value) => {
                    call.set_written();
                    return Ok(value);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Broken(error)) => {
                    broken += 1;
                    if broken == BROKEN_LIMIT {
                        return Err(error);
                    }
                    tracing::debug!(domain = self.domain(), attempt, "the connection broke; the write runs again");
                    measured.again(Again::Connection);
                    pause(attempt).await;
                }
                Err(Failure::Conflict) => {
                    tracing::debug!(domain = self.domain(), attempt, "a concurrent change won; the write runs again");
                    measured.again(Again::Conflict);
                    pause(attempt).await;
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn attempt<T, F, R>(&self, call: &Call, answers: &Answers<'_, T>, mode: Mode, work: &F) -> Result<T, Failure>
    where
        T: Send,
        F: Fn(Tx) -> R + Send + Sync,
        R: Future<Output = Result<T>> + Send,
    {
        let open = Open::new(self.begin(call, mode).await.map_err(Failure::of)?);
        let keyed = answers.keyed;
        if let Some(keyed) = keyed {
            let claim = keyed.key.claim(&open.read()).await;
            if !matches!(claim, Ok(Claim::First)) {
                open.close().await.map_err(Failure::of)?.rollback().await;
            }
            if let Claim::Repeat(answer) = claim.map_err(Failure::of)? {
                replica::note_repeat(&self.inner, call).await;
                return (keyed.decode)(&answer).map_err(Failure::of);
            }
        }
        if let Some(fence) = call.fence() {
            fence::check(&open.read(), fence).await.map_err(Failure::of)?;
        }
        let mut outcome = transaction::hold(work(open.tx(call.clone()))).await;
        if let Ok(value) = &outcome {
            let digest = answers.digest.filter(|_| call.method().is_some_and(|method| method.audit.of_changes()));
            if let Err(error) = open.tx(call.clone()).record_change(digest.map(|digest| digest(value))).await {
                outcome = Err(error.into());
            }
        }
        let (has_events, has_audit) = (open.has_events(), open.has_audit());
        let session = open.close().await.map_err(Failure::of)?;
        let state = session.state;
        let value = match outcome {
            // Also when the closure made something else of the conflict.
            _ if state.conflict => {
                session.rollback().await;
                return Err(Failure::Conflict);
            }
            Err(error) if state.broken => return Err(Failure::Broken(error)),
            Err(error) => {
                session.rollback().await;
                return Err(Failure::Final(error));
            }
            Ok(_) if state.failed => return Err(Failure::of(StoreError::AlreadyFailed)),
            Ok(value) => value,
        };
        let Some(keyed) = keyed else {
            self.commit(call, session).await.map_err(Failure::of)?;
            self.committed(call, has_events, has_audit);
            return Ok(value);
        };
        let open = Open::new(session);
        keyed.key.keep(&open.read(), (keyed.encode)(&value)).await.map_err(Failure::of)?;
        // Whether a commit that broke off was made, the key tells when the work runs again.
        let session = open.close().await.map_err(Failure::of)?;
        self.commit(call, session).await.map_err(Failure::of_keyed_commit)?;
        self.committed(call, has_events, has_audit);
        Ok(value)
    }

    /// Commits, and sees to it that the caller reads its own write.
    async fn commit(&self, call: &Call, session: Session) -> Result<(), StoreError> {
        let writer = self.inner.replica().and_then(|_| Writer::of(self.inner.domain, call));
        let Some(writer) = writer else { return session.commit().await };
        if let Some(position) = session.commit_at().await? {
            replica::note(&self.inner, &writer, position).await;
        }
        Ok(())
    }

    fn committed(&self, call: &Call, has_events: bool, has_audit: bool) {
        if has_audit {
            call.set_audited();
        }
        if has_events {
            self.inner.published.notify_one();
        }
    }

    /// Begins a transaction for the call's scope, within its time.
    async fn begin(&self, call: &Call, mode: Mode) -> Result<Session, StoreError> {
        if transaction::is_held() {
            return Err(StoreError::Nested);
        }
        if call.scope() == Scope::Nothing {
            return Err(StoreError::TenantMissing);
        }
        let limit = self.limit(call)?;
        let begin = self.inner.begin(call.scope(), mode, limit);
        let Some(deadline) = call.deadline() else { return begin.await };
        tokio::time::timeout(deadline.remaining(), begin).await.unwrap_or(Err(StoreError::DeadlineSpent))
    }

    /// How long a statement of the call may run.
    fn limit(&self, call: &Call) -> Result<Duration, StoreError> {
        let limit = self.inner.settings.statement_timeout;
        match call.deadline() {
            None => Ok(limit),
            Some(deadline) if deadline.is_spent() => Err(StoreError::DeadlineSpent),
            Some(deadline) => Ok(limit.min(deadline.remaining())),
        }
    }

    /// Deletes the idempotency records that are older than 48 hours and returns how many there were.
    /// For a periodic job of the mesh; the call is in a system scope.
    pub async fn expire_idempotency_records(&self, call: &Call) -> Result<u64> {
        let now = call.now();
        let mut expired = 0;
        loop {
            let batch = self.transact(call, async |tx| Ok(crate::idempotency::expire(&tx, now).await?)).await?;
            expired += batch;
            if batch < crate::idempotency::BATCH {
                return Ok(expired);
            }
        }
    }
}

impl Replays for Store {
    fn find<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move {
            let Some(key) = Key::of(call).filter(|_| call.scope() != Scope::Nothing) else { return Ok(None) };
            let answer: Option<Vec<u8>> = self.read(call, async |read| Ok(key.find(&read).await?)).await?;
            if answer.is_some() {
                replica::note_repeat(&self.inner, call).await;
            }
            Ok(answer.map(Bytes::from))
        })
    }
}

/// A KEYED call's key, and how its answer is stored.
struct Keyed<T> {
    key: Key,
    encode: fn(&T) -> Vec<u8>,
    decode: fn(&[u8]) -> Result<T, StoreError>,
}

/// What is done with what a write returns.
struct Answers<'a, T> {
    keyed: Option<&'a Keyed<T>>,
    digest: Option<fn(&T) -> Digest>,
}

impl<T> Answers<'_, T> {
    /// Nothing: it is no method's answer.
    const NONE: Self = Self { keyed: None, digest: None };
}

enum Failure {
    /// The work may run again.
    Conflict,
    /// It may run again on another connection.
    Broken(Error),
    /// It may not.
    Final(Error),
}

impl Failure {
    fn of(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Broken { .. } => Self::Broken(error.into()),
            error => Self::Final(error.into()),
        }
    }

    fn of_keyed_commit(error: StoreError) -> Self {
        match error {
            StoreError::CommitUnknown(_) => Self::Broken(error.into()),
            error => Self::of(error),
        }
    }
}

/// Waits longer after each conflict, for a random time, so that those who met do not meet again.
async fn pause(attempt: u32) {
    let longest = PAUSE_LIMIT.min(Duration::from_millis(4) * 2_u32.saturating_pow(attempt));
    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
}
