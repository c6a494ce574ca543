//! A domain's log: the events that it has published, in the order of their places, for as long as they
//! are kept.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;
use weft_call::{Call, RequestId, Result, TenantId, TopicPattern, TraceContext};
use weft_store::{Read, Store, StoreError, Tx, statements};

use crate::Envelope;

/// Events that are read at once.
pub(crate) const BATCH: i64 = 256;
/// Rows that one transaction deletes; the statement below says the same.
const EXPIRE_BATCH: u64 = 500;

statements! {
    system LIST_LOG =
        "SELECT id, topic, event_key, position, tenant_id, created_at, request_id, causation_id, traceparent, tracestate, \
         message, data FROM weft_outbox WHERE position > $1 ORDER BY position LIMIT $2";
    system COUNT_UNSETTLED = "SELECT count(*) FROM (SELECT 1 FROM weft_outbox WHERE position IS NULL LIMIT 1) AS any_of_them";
    system COUNT_BACKLOG =
        "SELECT count(*) FROM weft_outbox WHERE position IS NULL \
         OR position > COALESCE((SELECT MAX(sent_position) FROM weft_event_relay), 0)";
    system OLDEST_IN_BACKLOG =
        "SELECT created_at FROM weft_outbox WHERE position IS NULL \
         OR position > COALESCE((SELECT MAX(sent_position) FROM weft_event_relay), 0) ORDER BY created_at LIMIT 1";
    /// Only what the carrier has; audit records stay until they are released.
    system EXPIRE_LOG =
        "DELETE FROM weft_outbox WHERE position IN (SELECT position FROM weft_outbox \
         WHERE position <= (SELECT MAX(sent_position) FROM weft_event_relay) AND created_at < $1 \
         AND topic <> 'events.audit.recorded' ORDER BY position LIMIT 500)";
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    topic: String,
    event_key: String,
    position: i64,
    tenant_id: Uuid,
    created_at: DateTime<Utc>,
    request_id: String,
    causation_id: Option<Uuid>,
    traceparent: String,
    tracestate: String,
    message: String,
    data: Vec<u8>,
}

impl Row {
    fn into_envelope(self, source: &str) -> Envelope {
        // Both were valid when they were written; of a damaged row the event matters more.
        let request_id = RequestId::parse(&self.request_id).unwrap_or_else(|_| RequestId::fresh());
        let trace = TraceContext::parse(&self.traceparent, Some(&self.tracestate)).unwrap_or_else(TraceContext::start);
        Envelope {
            id: self.id,
            source: source.to_owned(),
            topic: self.topic,
            key: self.event_key,
            position: self.position,
            tenant: TenantId(self.tenant_id),
            time: self.created_at,
            request_id,
            causation: self.causation_id,
            trace,
            message: self.message,
            data: self.data,
        }
    }
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// How many events.
    pub count: i64,
    /// When the oldest of them was published.
    pub oldest: Option<DateTime<Utc>>,
}

/// The events behind a place in the log, at most `limit`. The call is in a system scope.
pub async fn after(store: &Store, call: &Call, position: i64, limit: i64) -> Result<Vec<Envelope>> {
    let list = async |read: Read| Ok(read.run(&LIST_LOG).bind(position).bind(limit.clamp(1, 1000)).fetch_all::<Row>().await?);
    let rows = store.read(call, list).await?;
    Ok(rows.into_iter().map(|row| row.into_envelope(store.domain())).collect())
}

/// The events behind a place whose topics match, at most `limit`, and of one tenant if one is said.
pub async fn matching(store: &Store, call: &Call, wanted: &Wanted, position: i64, limit: usize) -> Result<Vec<Envelope>> {
    let (mut position, mut found) = (position, Vec::new());
    loop {
        let events = after(store, call, position, BATCH).await?;
        let Some(last) = events.last() else { return Ok(found) };
        position = last.position;
        for event in events {
            if found.len() == limit {
                return Ok(found);
            }
            if wanted.pattern.matches(&event.topic) && wanted.tenant.is_none_or(|tenant| tenant == event.tenant) {
                found.push(event);
            }
        }
    }
}

/// Which events somebody wants to see.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Their topics.
    pub pattern: TopicPattern,
    /// Their tenant; all of them if none is said.
    pub tenant: Option<TenantId>,
}

/// What waits to be sent. The call is in a system scope.
pub async fn backlog(store: &Store, call: &Call) -> Result<Backlog> {
    let count = async |read: Read| {
        let count = read.run(&COUNT_BACKLOG).fetch_value().await?;
        Ok(Backlog { count, oldest: read.run(&OLDEST_IN_BACKLOG).fetch_optional_value().await? })
    };
    store.read(call, count).await
}

pub(crate) async fn has_unsettled(store: &Store, call: &Call) -> Result<bool> {
    let count = async |read: Read| Ok(read.run(&COUNT_UNSETTLED).fetch_value::<i64>().await?);
    Ok(store.read(call, count).await? > 0)
}

/// Deletes sent events from before `before`, and says how many. The call is in a system scope.
pub async fn expire(store: &Store, call: &Call, before: DateTime<Utc>) -> Result<u64> {
    let delete = async |tx: Tx| Ok::<_, StoreError>(tx.run(&EXPIRE_LOG).bind(before).execute().await?);
    let mut expired = 0;
    loop {
        let batch = store.queue(call, async |tx: Tx| Ok(delete(tx).await?)).await?;
        expired += batch;
        if batch < EXPIRE_BATCH {
            return Ok(expired);
        }
    }
}
