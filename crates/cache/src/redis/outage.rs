//! Leaves a Redis alone that fails.
//!
//! Rule: after a failure nobody asks for [`PAUSE`]; then one caller does, and if that fails, nobody
//! for as long again. The first answer ends the outage. Each outage is one line in the log when it
//! begins and one when it ends.

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

const PAUSE: Duration = Duration::from_millis(250);

/// No outage.
const NONE: u64 = 0;

/// Whether Redis is lost.
#[derive(Debug)]
pub(super) struct Outage {
    started: Instant,
    /// When it may be asked again, in milliseconds after the start.
    ask_again: AtomicU64,
}

impl Outage {
    pub(super) fn may_ask(&self) -> bool {
        let again = self.ask_again.load(Ordering::Relaxed);
        again == NONE
            || (self.now() >= again
                // One caller tries; the others do not wait for what it finds out.
                && self.ask_again.compare_exchange(again, self.later(), Ordering::Relaxed, Ordering::Relaxed).is_ok())
    }

    pub(super) fn failed(&self, error: &(dyn Error + 'static)) {
        if self.ask_again.swap(self.later(), Ordering::Relaxed) == NONE {
            warn!(error, "Redis is lost: caches load from the source, sessions and shared counters are unavailable");
        }
    }

    pub(super) fn over(&self) {
        // Read first: the answer of every call comes by here.
        if self.ask_again.load(Ordering::Relaxed) != NONE && self.ask_again.swap(NONE, Ordering::Relaxed) != NONE {
            info!("Redis is back");
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn later(&self) -> u64 {
        // Never NONE: the pause is longer than nothing.
        self.now().saturating_add(u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self { started: Instant::now(), ask_again: AtomicU64::new(NONE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> std::io::Error {
        std::io::ErrorKind::ConnectionRefused.into()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_one_caller_a_pause_asks() {
        let outage = Outage::default();
        assert!(outage.may_ask());
        outage.failed(&failure());
        assert!(!outage.may_ask());
        tokio::time::advance(PAUSE).await;
        assert!(outage.may_ask());
        assert!(!outage.may_ask(), "one tries for all");
        outage.failed(&failure());
        tokio::time::advance(PAUSE / 2).await;
        assert!(!outage.may_ask());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_outage_for_all() {
        let outage = Outage::default();
        outage.failed(&failure());
        outage.over();
        assert!(outage.may_ask() && outage.may_ask());
    }
}
