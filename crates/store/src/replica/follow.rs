//! Follows the logs of the primary and its replica.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use weft_telemetry::Metrics;

use super::{LogPosition, replayed, server, written};
use crate::postgres::{Pool, describe};

/// How often it is looked, unless the lag that is allowed asks for more.
const PERIOD: Duration = Duration::from_secs(1);

/// What is known of both logs.
pub(super) struct Followed {
    primary: Pool,
    replica: Pool,
    max_lag: Duration,
    metrics: Metrics,
    /// Where the primary's log was, and when at the latest.
    seen: Mutex<VecDeque<(Instant, LogPosition)>>,
    is_up: AtomicBool,
    /// Which installation the primary's data is of.
    ours: OnceCell<i64>,
}

/// What a replica said of itself.
pub(super) struct Known {
    /// How far it has replayed the log; `None` if it is no replica.
    pub(super) replayed: Option<LogPosition>,
    /// Which installation its data is of.
    pub(super) server: i64,
}

impl Followed {
    pub(super) fn new(primary: Pool, replica: Pool, max_lag: Duration, metrics: Metrics) -> Self {
        let is_up = AtomicBool::new(false);
        Self { primary, replica, max_lag, metrics, seen: Mutex::default(), is_up, ours: OnceCell::new() }
    }

    /// Looks for the first time.
    pub(super) async fn begin(&self) {
        self.look().await;
        if !self.is_up.load(Ordering::Acquire) {
            let replica = self.describe();
            tracing::warn!(replica, "the database's replica does not answer: the primary answers its reads");
        }
    }

    /// Follows until it is aborted.
    pub(super) async fn follow(self: std::sync::Arc<Self>) {
        loop {
            sleep(PERIOD.min(self.max_lag / 10)).await;
            self.look().await;
        }
    }

    /// The place that was reached `max_lag` ago; `None` if that is not known, or the replica is down.
    pub(super) fn least(&self) -> Option<LogPosition> {
        if !self.is_up.load(Ordering::Acquire) {
            return None;
        }
        let seen = self.seen();
        let first = seen.iter().find(|(when, _)| when.elapsed() <= self.max_lag);
        first.map(|(_, position)| *position)
    }

    /// Leaves the replica alone until it answers again.
    pub(super) fn is_lost(&self, error: &sqlx::Error) {
        self.set_up(false, Some(&error.to_string()));
        self.metrics.set_replica(&self.describe(), None);
    }

    /// Asks both how far they are.
    async fn look(&self) {
        // Before the question: what was committed until then is behind the answer.
        let now = Instant::now();
        if let Ok(position) = written(&self.primary).await {
            let mut seen = self.seen();
            seen.retain(|(when, _)| when.elapsed() <= self.max_lag);
            seen.push_back((now, position));
        }
        match self.ask().await {
            Ok(replayed) => {
                let newest = self.seen().back().map(|(_, position)| *position).unwrap_or_default();
                self.metrics.set_replica(&self.describe(), Some(newest.0.saturating_sub(replayed.0)));
                self.set_up(true, None);
            }
            Err(why) => {
                self.metrics.set_replica(&self.describe(), None);
                self.set_up(false, Some(&why));
            }
        }
    }

    /// How far the replica is, or why nobody may read from it.
    async fn ask(&self) -> Result<LogPosition, String> {
        let known = replayed(&self.replica).await.map_err(|error| error.to_string())?;
        let ours = self.ours.get_or_try_init(|| server(&self.primary)).await.map_err(|error| error.to_string())?;
        if known.server != *ours {
            return Err("it is the replica of another server".to_owned());
        }
        known.replayed.ok_or_else(|| "it is no replica, or was promoted".to_owned())
    }

    fn describe(&self) -> String {
        describe(&self.replica.options())
    }

    fn set_up(&self, is_up: bool, why: Option<&str>) {
        let was_up = self.is_up.swap(is_up, Ordering::AcqRel);
        let replica = self.describe();
        match (was_up, is_up) {
            (false, true) => tracing::info!(replica, "the database's replica answers"),
            (true, false) => tracing::warn!(replica, why, "the database's replica is lost: the primary answers its reads"),
            (false, false) => tracing::debug!(replica, why, "the database's replica does not answer"),
            (true, true) => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, VecDeque<(Instant, LogPosition)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
