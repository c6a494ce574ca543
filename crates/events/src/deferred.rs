//! Events that could not be handled yet.
//!
//! Rule: the first of a key is tried again after pauses that double; those behind it wait. An error
//! that passes by itself (something cannot be reached, a deadline, a conflict) is tried for ever;
//! after [`ATTEMPTS`] others the key is parked, which metrics and `weft events parked` tell.
//! Recovery: [`replay`] frees a key once its cause is mended.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;
use uuid::Uuid;
use weft_call::{Call, Error, Result, TenantId};
use weft_store::{Read, Store, StoreError, Tx, statements};

use crate::{Envelope, consumer::is_passing};

/// How often an event is tried, unless what is wrong passes by itself.
pub const ATTEMPTS: i64 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Longest text of an error that is kept, in characters.
const ERROR_LIMIT: usize = 500;

statements! {
    FORGET_KEY = "DELETE FROM weft_event_deferred WHERE tenant_id = $1 AND event_key = $2";
    system COUNT_ANY = "SELECT count(*) FROM (SELECT 1 FROM weft_event_deferred LIMIT 1) AS any_of_them";
    /// Whether something of the key comes before it.
    COUNT_BEFORE =
        "SELECT count(*) FROM weft_event_deferred \
         WHERE tenant_id = $1 AND source = $2 AND event_key = $3 AND position < $4";
    /// Nothing is added if it was handled or deferred before, or under an old fence.
    DEFER =
        postgres "INSERT INTO weft_event_deferred \
            (tenant_id, event_id, source, position, event_key, topic, envelope, attempts, due_at, parked, error, deferred_at) \
            SELECT CAST($1 AS UUID), CAST($2 AS UUID), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS TEXT), \
                CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS BIGINT), CAST($9 AS TIMESTAMPTZ), FALSE, CAST($10 AS TEXT), \
                CAST($11 AS TIMESTAMPTZ) \
            FROM weft_event_fence WHERE name = $12 AND fence = $13 AND NOT EXISTS \
                (SELECT 1 FROM weft_event_handled WHERE tenant_id = $1 AND event_id = $2) \
            ON CONFLICT DO NOTHING"
        sqlite "INSERT INTO weft_event_deferred \
            (tenant_id, event_id, source, position, event_key, topic, envelope, attempts, due_at, parked, error, deferred_at) \
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE, $10, $11 \
            FROM weft_event_fence WHERE name = $12 AND fence = $13 AND NOT EXISTS \
                (SELECT 1 FROM weft_event_handled WHERE tenant_id = $1 AND event_id = $2) \
            ON CONFLICT DO NOTHING";
    COUNT_DEFERRED = "SELECT count(*) FROM weft_event_deferred WHERE tenant_id = $1 AND event_id = $2";
    /// The first of each key.
    system LIST_DUE =
        "SELECT d.tenant_id, d.event_id, d.envelope, d.attempts FROM weft_event_deferred AS d \
         WHERE NOT d.parked AND d.due_at <= $1 AND NOT EXISTS (SELECT 1 FROM weft_event_deferred AS e \
            WHERE e.tenant_id = d.tenant_id AND e.source = d.source AND e.event_key = d.event_key AND e.position < d.position) \
         ORDER BY d.due_at, d.event_id LIMIT 16";
    DELETE_DEFERRED = "DELETE FROM weft_event_deferred WHERE tenant_id = $1 AND event_id = $2";
    SET_FAILED =
        "UPDATE weft_event_deferred SET attempts = $3, due_at = $4, parked = $5, error = $6 \
         WHERE tenant_id = $1 AND event_id = $2";
    system PARK =
        "UPDATE weft_event_deferred SET parked = TRUE, error = $3 WHERE tenant_id = $1 AND event_id = $2";
    system LIST_PARKED =
        "SELECT d.tenant_id, d.event_id, d.source, d.event_key, d.topic, d.attempts, d.error, d.deferred_at, \
            (SELECT count(*) FROM weft_event_deferred AS e WHERE e.tenant_id = d.tenant_id AND e.source = d.source \
             AND e.event_key = d.event_key AND e.position > d.position) AS behind \
         FROM weft_event_deferred AS d WHERE d.parked ORDER BY d.deferred_at, d.event_id LIMIT $1";
    system COUNT_PARKED = "SELECT count(*) FROM weft_event_deferred WHERE parked";
    system COUNT_ALL = "SELECT count(*) FROM weft_event_deferred";
    system REPLAY_KEY =
        "UPDATE weft_event_deferred SET parked = FALSE, attempts = 0, due_at = $1 WHERE parked AND event_key = $2";
    system REPLAY_ALL = "UPDATE weft_event_deferred SET parked = FALSE, attempts = 0, due_at = $1 WHERE parked";
}

/// A deferred event whose time has come.
#[derive(Debug, FromRow)]
pub(crate) struct Waiting {
    tenant_id: Uuid,
    event_id: Uuid,
    pub(crate) envelope: String,
    attempts: i64,
}

/// An event that is parked: nobody tries to handle it again until somebody says so.
#[derive(Clone, Debug, FromRow)]
pub struct Parked {
    /// The tenant that it belongs to.
    pub tenant_id: Uuid,
    /// The event's id.
    pub event_id: Uuid,
    /// The domain that published it.
    pub source: String,
    /// What it is about.
    pub event_key: String,
    /// Its topic.
    pub topic: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it failed the last time.
    pub error: String,
    /// When it failed first.
    pub deferred_at: DateTime<Utc>,
    /// How many events of its key wait behind it.
    pub behind: i64,
}

pub(crate) async fn any(store: &Store, call: &Call) -> Result<bool> {
    let count = async |read: Read| Ok(read.run(&COUNT_ANY).fetch_value::<i64>().await?);
    Ok(store.read(call, count).await? > 0)
}

/// True if an earlier event of its key is deferred.
pub(crate) async fn is_behind(tx: &Tx, event: &Envelope) -> Result<bool, StoreError> {
    let run = tx.run(&COUNT_BEFORE).bind(&event.source).bind(&event.key).bind(event.position);
    Ok(run.fetch_value::<i64>().await? > 0)
}

/// Takes an event out, in the transaction that handles it.
pub(crate) async fn settle(tx: &Tx, event: &Envelope) -> Result<(), StoreError> {
    tx.run(&DELETE_DEFERRED).bind(event.id).execute().await.map(drop)
}

/// Puts an event aside, with what went wrong if it was tried. False if it was handled meanwhile, or
/// another process handles events now.
pub(crate) async fn defer(
    store: &Store,
    call: &Call,
    event: &Envelope,
    failure: Option<&Error>,
    (work, fence): (&str, i64),
) -> Result<bool> {
    let (envelope, now) = (event.to_json(), call.now());
    let attempts = i64::from(failure.is_some());
    let due = if failure.is_some() { now + pause(1) } else { now };
    let error = failure.map_or_else(String::new, text);
    let add = async |tx: Tx| {
        let run = tx.run(&DEFER).bind(event.id).bind(&event.source).bind(event.position).bind(&event.key).bind(&event.topic);
        let run = run.bind(&envelope).bind(attempts).bind(due).bind(&error).bind(now).bind(work).bind(fence);
        let added = run.execute().await? == 1;
        Ok(added || tx.run(&COUNT_DEFERRED).bind(event.id).fetch_value::<i64>().await? > 0)
    };
    store.transact(call, add).await
}

/// The first of each key whose time has come, some at a time.
pub(crate) async fn due(store: &Store, call: &Call) -> Result<Vec<Waiting>> {
    let now = call.now();
    store.read(call, async |read: Read| Ok(read.run(&LIST_DUE).bind(now).fetch_all().await?)).await
}

/// Remembers that an event failed again.
pub(crate) async fn failed(store: &Store, call: &Call, waiting: &Waiting, error: &Error) -> Result<()> {
    let attempts = waiting.attempts.saturating_add(1);
    let parked = attempts >= ATTEMPTS && !is_passing(error);
    let (due, text) = (call.now() + pause(attempts), text(error));
    let set = async |tx: Tx| {
        let run = tx.run(&SET_FAILED).bind(waiting.event_id).bind(attempts).bind(due).bind(parked).bind(&text);
        Ok(run.execute().await.map(drop)?)
    };
    store.transact(call, set).await
}

/// Parks an event that cannot even be read.
pub(crate) async fn park(store: &Store, call: &Call, waiting: &Waiting, error: &Error) -> Result<()> {
    let text = text(error);
    let set =
        async |tx: Tx| Ok(tx.run(&PARK).bind(waiting.tenant_id).bind(waiting.event_id).bind(&text).execute().await.map(drop)?);
    store.transact(call, set).await
}

fn pause(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX)
}

/// What operators are told: the error and its causes, which stay in the domain's own database.
fn text(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let told: Vec<_> = [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
    told.join(": ").replace('\0', " ").chars().take(ERROR_LIMIT).collect()
}

/// The events that are parked, at most `limit`. The call is in a system scope.
pub async fn parked(store: &Store, call: &Call, limit: i64) -> Result<Vec<Parked>> {
    store.read(call, async |read: Read| Ok(read.run(&LIST_PARKED).bind(limit.clamp(1, 1000)).fetch_all().await?)).await
}

/// How many keys are parked, and how many events wait in all. The call is in a system scope.
pub async fn count(store: &Store, call: &Call) -> Result<(i64, i64)> {
    let count = async |read: Read| Ok((read.run(&COUNT_PARKED).fetch_value().await?, read.run(&COUNT_ALL).fetch_value().await?));
    store.read(call, count).await
}

/// Frees what is parked, of one key or of all, to be tried again at once, and says how many keys were
/// freed. The call is in a system scope.
pub async fn replay(store: &Store, call: &Call, key: Option<&str>) -> Result<u64> {
    let now = call.now();
    let free = async |tx: Tx| match key {
        Some(key) => Ok(tx.run(&REPLAY_KEY).bind(now).bind(key).execute().await?),
        None => Ok(tx.run(&REPLAY_ALL).bind(now).execute().await?),
    };
    store.transact(call, free).await
}

/// Forgets the events about a person that wait: those whose key is the person's id.
pub async fn forget(tx: &Tx, person: Uuid) -> Result<()> {
    Ok(tx.run(&FORGET_KEY).bind(person.to_string()).execute().await.map(drop)?)
}

/// The tenant of a parked event.
impl Parked {
    /// The tenant that it belongs to.
    pub fn tenant(&self) -> TenantId {
        TenantId(self.tenant_id)
    }
}
