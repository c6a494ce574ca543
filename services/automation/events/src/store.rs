//! Every statement of the domain.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;
use weft_mesh::{
    Call, Result, Subject,
    events::Envelope,
    store::{Read, Store, StoreError, Tx, statements},
};

/// Events that are read at once.
pub(crate) const BATCH: i64 = 100;
/// Rows that one transaction deletes; the statement below says the same.
const EXPIRE_BATCH: u64 = 500;
/// The name of the one row.
const LAST: &str = "last";

statements! {
    RECORD =
        postgres "INSERT INTO events (tenant_id, id, topic, envelope, recorded_at, transaction_id) \
            VALUES ($1, $2, $3, $4, $5, CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT))"
        sqlite "INSERT INTO events (tenant_id, id, topic, envelope, recorded_at, transaction_id) \
            VALUES ($1, $2, $3, $4, $5, (SELECT COALESCE(MAX(transaction_id), 0) + 1 FROM events WHERE position IS NULL))";
    LIST_AFTER =
        "SELECT position, topic, envelope FROM events WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3";
    LIST_BEHIND = "SELECT id, envelope FROM events WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    FORGET = "DELETE FROM events WHERE tenant_id = $1 AND id = $2";
    system COUNT_UNSETTLED = "SELECT count(*) FROM (SELECT 1 FROM events WHERE position IS NULL LIMIT 1) AS any_of_them";
    system ADD_LAST = "INSERT INTO last_place (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING";
    /// Locks the row: no two give the same places.
    system LOCK_LAST = "UPDATE last_place SET position = position WHERE name = $1 RETURNING position";
    system SET_LAST = "UPDATE last_place SET position = $2 WHERE name = $1";
    system GET_LAST = "SELECT position FROM last_place WHERE name = $1";
    /// What is in no snapshot's future: a transaction that is still open could come before the rest. What is
    /// from before the database was restored elsewhere has numbers that are larger than any.
    system SETTLE =
        postgres "UPDATE events AS e SET position = $1 + s.place FROM ( \
            SELECT tenant_id, id, row_number() OVER (ORDER BY transaction_id, id) AS place FROM ( \
                SELECT tenant_id, id, transaction_id FROM events WHERE position IS NULL \
                AND (transaction_id < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) \
                    OR transaction_id >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)) \
                ORDER BY transaction_id, id LIMIT 256) AS f) AS s \
            WHERE e.tenant_id = s.tenant_id AND e.id = s.id"
        sqlite "UPDATE events AS e SET position = $1 + s.place FROM ( \
            SELECT tenant_id, id, row_number() OVER (ORDER BY transaction_id, id) AS place FROM ( \
                SELECT tenant_id, id, transaction_id FROM events WHERE position IS NULL \
                ORDER BY transaction_id, id LIMIT 256) AS f) AS s \
            WHERE e.tenant_id = s.tenant_id AND e.id = s.id";
    system EXPIRE =
        "DELETE FROM events WHERE (tenant_id, id) IN \
         (SELECT tenant_id, id FROM events WHERE recorded_at < $1 ORDER BY recorded_at LIMIT 500)";
}

/// A recorded event.
#[derive(Debug, FromRow)]
pub(crate) struct Recorded {
    pub(crate) position: i64,
    pub(crate) topic: String,
    pub(crate) envelope: String,
}

/// Records an event, in the transaction that handles it.
pub(crate) async fn record(tx: &Tx, call: &Call, event: &Envelope) -> Result<(), StoreError> {
    let run = tx.run(&RECORD).bind(event.id).bind(&event.topic).bind(event.to_json()).bind(call.now());
    run.execute().await.map(drop)
}

/// The tenant's events behind a place, some at a time. The place behind all of these comes too.
pub(crate) async fn after(store: &Store, call: &Call, place: i64, topics: &BTreeSet<&str>) -> Result<(i64, Vec<Recorded>)> {
    let list = async |read: Read| Ok(read.run(&LIST_AFTER).bind(place).bind(BATCH).fetch_all::<Recorded>().await?);
    let mut found = store.read(call, list).await?;
    let last = found.last().map_or(place, |last| last.position);
    found.retain(|event| topics.contains(event.topic.as_str()));
    Ok((last, found))
}

/// Gives places to what can have them, and says the last place. The call is in a system scope.
pub(crate) async fn settle(store: &Store, call: &Call) -> Result<i64> {
    let look = async |read: Read| {
        let unsettled: i64 = read.run(&COUNT_UNSETTLED).fetch_value().await?;
        Ok((unsettled, read.run(&GET_LAST).bind(LAST).fetch_optional_value::<i64>().await?))
    };
    if let (0, last) = store.read(call, look).await? {
        return Ok(last.unwrap_or_default());
    }
    let settle = async |tx: Tx| {
        tx.run(&ADD_LAST).bind(LAST).execute().await?;
        let last: i64 = tx.run(&LOCK_LAST).bind(LAST).fetch_value().await?;
        let settled = tx.run(&SETTLE).bind(last).execute().await?;
        let last = last.saturating_add(i64::try_from(settled).unwrap_or(i64::MAX));
        tx.run(&SET_LAST).bind(LAST).bind(last).execute().await?;
        Ok(last)
    };
    store.queue(call, settle).await
}

/// Erases the events that tell of a person: those about them, and those whose message holds their id.
pub(crate) async fn erase(tx: &Tx, subject: Subject) -> Result<()> {
    let person = subject.user.to_string();
    let mut behind = Uuid::nil();
    loop {
        let list = tx.run(&LIST_BEHIND).bind(behind).bind(BATCH).fetch_all::<(Uuid, String)>();
        let recorded = list.await?;
        let Some((last, _)) = recorded.last() else { return Ok(()) };
        behind = *last;
        for (id, _) in recorded.iter().filter(|(_, envelope)| tells_of(&person, envelope)) {
            tx.run(&FORGET).bind(*id).execute().await?;
        }
    }
}

/// What cannot be read may tell of anybody.
fn tells_of(person: &str, envelope: &str) -> bool {
    Envelope::from_json(envelope.as_bytes()).map_or(true, |event| {
        event.key == person || event.data.windows(person.len()).any(|part| part.eq_ignore_ascii_case(person.as_bytes()))
    })
}

/// Deletes events that were recorded before `before`. The call is in a system scope.
pub(crate) async fn expire(store: &Store, call: &Call, before: DateTime<Utc>) -> Result<()> {
    let delete = async |tx: Tx| Ok(tx.run(&EXPIRE).bind(before).execute().await?);
    while store.queue(call, delete).await? == EXPIRE_BATCH {}
    Ok(())
}
