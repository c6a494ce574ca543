//! Brings a domain's committed events to the carrier.
//!
//! Problem: the order in which transactions write their events is not that in which they commit. A
//! relay that reads behind the last number it saw skips what commits late (a sequence is no clock),
//! and one that reads whatever is there swaps what belongs together.
//!
//! Rule: on PostgreSQL an event is settled once no transaction is open that began to write before or
//! with its own (`transaction_id < pg_snapshot_xmin`), so nothing can come before it any more. Settled
//! events get places in the log, ascending and without gaps, by transaction and within it; what has a
//! place is sent in that order. A transaction of the store sees what it builds on only if that one
//! had committed before, and so has the lower number: causes come before effects. On SQLite writers take
//! turns, and whatever is there is settled.
//!
//! Recovery: places and how far the carrier has them stand in the database, under the relay's fence.
//! What was sent and not recorded as sent is sent again. Events of a restored dump whose transactions
//! have numbers that this server has not reached are settled: they could not be seen were they open.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use weft_call::Clock;
use weft_store::{Store, Tx, statements};
use weft_telemetry::Metrics;

use crate::{
    Carrier, Envelope,
    lease::{Ended, MEASURE, Together, Work},
    log::{self, BATCH},
};

/// How long nothing is looked for unless this process publishes: other processes may.
const IDLE: Duration = Duration::from_millis(100);
/// The first pause while an open transaction holds back what follows it; the next ones are longer.
const UNSETTLED: Duration = Duration::from_millis(5);

statements! {
    system ADD_RELAY =
        "INSERT INTO weft_event_relay (name, fence, last_position, sent_position) VALUES ($1, $2, 0, 0) \
         ON CONFLICT (name) DO NOTHING";
    system CLAIM_RELAY = "UPDATE weft_event_relay SET fence = $2 WHERE name = $1 AND fence <= $2 RETURNING sent_position";
    /// Locks the row; says nothing under an old fence.
    system LAST_POSITION = "UPDATE weft_event_relay SET fence = fence WHERE name = $1 AND fence = $2 RETURNING last_position";
    system SET_LAST_POSITION = "UPDATE weft_event_relay SET last_position = $3 WHERE name = $1 AND fence = $2";
    system SET_SENT_POSITION = "UPDATE weft_event_relay SET sent_position = $3 WHERE name = $1 AND fence = $2";
    system SETTLE =
        postgres "UPDATE weft_outbox AS o SET position = $1 + s.place FROM ( \
            SELECT id, row_number() OVER (ORDER BY transaction_id, ordinal, id) AS place FROM ( \
                SELECT id, transaction_id, ordinal FROM weft_outbox WHERE position IS NULL \
                AND (transaction_id < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) \
                    OR transaction_id >= CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)) \
                ORDER BY transaction_id, ordinal, id LIMIT 256) AS f) AS s \
            WHERE o.id = s.id"
        sqlite "UPDATE weft_outbox AS o SET position = $1 + s.place FROM ( \
            SELECT id, row_number() OVER (ORDER BY transaction_id, ordinal, id) AS place FROM ( \
                SELECT id, transaction_id, ordinal FROM weft_outbox WHERE position IS NULL \
                ORDER BY transaction_id, ordinal, id LIMIT 256) AS f) AS s \
            WHERE o.id = s.id";
}

/// The name of the work, and of its row.
const RELAY: &str = "relay";

/// What is to be sent next.
enum Next {
    /// These.
    Events(Vec<Envelope>),
    /// Something that an open transaction holds back.
    Unsettled,
    /// Nothing.
    Nothing,
}

/// Brings a domain's committed events to the carrier, whenever it is this process's turn.
#[derive(Debug)]
pub struct Relay {
    work: Work,
    carrier: Arc<dyn Carrier>,
    metrics: Metrics,
}

impl Relay {
    /// The relay of the domain whose store it is.
    pub fn new(store: Store, carrier: Arc<dyn Carrier>, clock: Clock, lease: Duration, metrics: Metrics) -> Self {
        Self { work: Work { store, name: RELAY, clock, lease, together: None }, carrier, metrics }
    }

    /// Relays only where these works are done too.
    #[must_use]
    pub fn together(mut self, works: Together) -> Self {
        self.work.together = Some(works);
        self
    }

    /// Relays until `stop`.
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
            let call = self.work.call();
            let backlog = log::backlog(&self.work.store, &call).await?;
            let age = backlog.oldest.and_then(|oldest| (call.now() - oldest).to_std().ok()).unwrap_or_default();
            self.metrics.set_events_backlog(self.work.store.domain(), backlog.count, age);
            tokio::time::sleep(MEASURE).await;
        }
    }

    async fn turn(&self, fence: i64) -> Result<Infallible, Ended> {
        let published = self.work.store.published();
        let (mut passed, mut pause) = (self.claim(fence).await?, UNSETTLED);
        loop {
            match self.next(fence, passed).await? {
                Next::Events(events) => {
                    passed = Box::pin(self.send_all(fence, events)).await?;
                    pause = UNSETTLED;
                }
                // Whichever comes first: the next look finds it.
                Next::Nothing => drop(tokio::time::timeout(IDLE, published.notified()).await),
                Next::Unsettled => {
                    tokio::time::sleep(pause).await;
                    pause = IDLE.min(pause * 2);
                }
            }
        }
    }

    /// Sends events and all that follow them, and says how far that is. While some travel, the next are made ready, and
    /// what was sent before is recorded.
    async fn send_all(&self, fence: i64, mut events: Vec<Envelope>) -> Result<i64, Ended> {
        let (mut sent, mut passed) = (None, 0);
        while let Some(last) = events.last() {
            passed = last.position;
            #[cfg(feature = "sabotage")]
            if crate::sabotage::sends_after_recording() {
                self.record_sent(fence, passed).await?;
                crate::sabotage::wait_to_be_killed().await;
            }
            let record = async {
                match sent {
                    Some(position) => self.record_sent(fence, position).await,
                    None => Ok(()),
                }
            };
            let send = async { Ok(self.carrier.send(self.work.store.domain(), &events).await?) };
            let (next, ..) = tokio::try_join!(self.next(fence, passed), send, record)?;
            sent = Some(passed);
            events = if let Next::Events(next) = next { next } else { Vec::new() };
        }
        self.record_sent(fence, passed).await?;
        Ok(passed)
    }

    /// The events behind a place, which are given their places if they have none yet.
    async fn next(&self, fence: i64, passed: i64) -> Result<Next, Ended> {
        let (store, call) = (&self.work.store, self.work.call());
        let events = log::after(store, &call, passed, BATCH).await?;
        if !events.is_empty() {
            return Ok(Next::Events(events));
        }
        if !log::has_unsettled(store, &call).await? {
            return Ok(Next::Nothing);
        }
        if self.settle(fence).await? == 0 {
            return Ok(Next::Unsettled);
        }
        Ok(Next::Events(log::after(store, &call, passed, BATCH).await?))
    }

    /// Makes the fence known, and says how far the carrier has the log.
    async fn claim(&self, fence: i64) -> Result<i64, Ended> {
        let claim = async |tx: Tx| {
            tx.run(&ADD_RELAY).bind(RELAY).bind(fence).execute().await?;
            Ok(tx.run(&CLAIM_RELAY).bind(RELAY).bind(fence).fetch_optional_value().await?)
        };
        self.work.store.queue(&self.work.call(), claim).await?.ok_or(Ended::TakenOver)
    }

    /// Gives settled events their places in the log, and says how many there were.
    async fn settle(&self, fence: i64) -> Result<u64, Ended> {
        let settle = async |tx: Tx| {
            // Waits for a relay that is about to lose its fence: no two give the same places.
            let last: Option<i64> = tx.run(&LAST_POSITION).bind(RELAY).bind(fence).fetch_optional_value().await?;
            let Some(last) = last else { return Ok(None) };
            let settled = tx.run(&SETTLE).bind(last).execute().await?;
            let position = last.saturating_add(i64::try_from(settled).unwrap_or(i64::MAX));
            tx.run(&SET_LAST_POSITION).bind(RELAY).bind(fence).bind(position).execute().await?;
            Ok(Some(settled))
        };
        self.work.store.queue(&self.work.call(), settle).await?.ok_or(Ended::TakenOver)
    }

    async fn record_sent(&self, fence: i64, position: i64) -> Result<(), Ended> {
        let record = async |tx: Tx| Ok(tx.run(&SET_SENT_POSITION).bind(RELAY).bind(fence).bind(position).execute().await?);
        match self.work.store.queue(&self.work.call(), record).await? {
            0 => Err(Ended::TakenOver),
            _ => Ok(()),
        }
    }
}
