//! The time of day, which tests can set.
//!
//! Whatever a domain stores, compares or waits for comes from here. Times are in UTC and whole
//! microseconds: what PostgreSQL keeps, so that a time reads back as it was written.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    Manual { hands: Arc<Mutex<Hands>>, moved: watch::Sender<()> },
}

/// Where a manual clock stands, and until when those wait who wait on it.
#[derive(Debug)]
struct Hands {
    now: DateTime<Utc>,
    due: Vec<DateTime<Utc>>,
}

/// A place among those who wait on a manual clock.
struct Sleeping<'c> {
    hands: &'c Mutex<Hands>,
    due: DateTime<Utc>,
}

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        let due = &mut lock(self.hands).due;
        if let Some(place) = due.iter().position(|due| *due == self.due) {
            due.swap_remove(place);
        }
    }
}

fn lock(hands: &Mutex<Hands>) -> MutexGuard<'_, Hands> {
    hands.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is moved.
    pub fn manual(start: DateTime<Utc>) -> Self {
        let hands = Hands { now: start.trunc_subsecs(6), due: Vec::new() };
        Self(Source::Manual { hands: Arc::new(Mutex::new(hands)), moved: watch::Sender::new(()) })
    }

    /// Now, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Manual { hands, .. } => lock(hands).now,
        }
    }

    /// Moves a manual clock forward and wakes what waits on it. The machine's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { hands, moved } = &self.0 {
            let mut hands = lock(hands);
            let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
            hands.now = hands.now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC);
            drop(hands);
            moved.send_replace(());
        }
    }

    /// How many wait on a manual clock for a time that has not come: a test that moves it waits for them first. Nobody knows
    /// of the machine's clock.
    pub fn sleepers(&self) -> usize {
        match &self.0 {
            Source::System => 0,
            Source::Manual { hands, .. } => {
                let hands = lock(hands);
                hands.due.iter().filter(|due| **due > hands.now).count()
            }
        }
    }

    /// Waits until `span` has passed on this clock.
    pub async fn sleep(&self, span: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(span).await,
            Source::Manual { hands, moved } => {
                // Subscribed before the time is read, so that no move in between is missed.
                let mut moved = moved.subscribe();
                let sleeping = {
                    let mut told = lock(hands);
                    let due = told.now + TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
                    told.due.push(due);
                    Sleeping { hands, due }
                };
                while self.now() < sleeping.due {
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
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.sleepers(), 0, "its time has come");
        assert!(sleeper.await.is_ok());
    }

    #[tokio::test]
    async fn who_is_woken_by_another_no_longer_waits() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let sleeping = clock.sleep(Duration::from_mins(1));
        assert!(tokio::time::timeout(Duration::ZERO, sleeping).await.is_err());
        assert_eq!(clock.sleepers(), 0);
    }
}
