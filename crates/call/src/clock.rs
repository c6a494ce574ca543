//! The time of day, which tests can set.
//!
//! Whatever a domain stores, compares or waits for comes from here. Times are in UTC and whole
//! microseconds: what PostgreSQL keeps, so that a time reads back as it was written.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::watch;

/// The time of day. Cloning it gives another handle of the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual { now: Arc<Mutex<DateTime<Utc>>>, moved: watch::Sender<()> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is moved.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual { now: Arc::new(Mutex::new(start.trunc_subsecs(6))), moved: watch::Sender::new(()) })
    }

    /// Now, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Manual { now, .. } => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock forward and wakes what waits on it. The machine's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now, moved } = &self.0 {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
            *now = now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC);
            moved.send_replace(());
        }
    }

    /// Waits until `span` has passed on this clock.
    pub async fn sleep(&self, span: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(span).await,
            Source::Manual { moved, .. } => {
                // Subscribed before the time is read, so that no move in between is missed.
                let mut moved = moved.subscribe();
                let due = self.now() + TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
                while self.now() < due {
                    if moved.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_a_sleeper_when_its_time_has_come() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_mins(1)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert!(sleeper.await.is_ok());
    }
}
