//! When a certificate's successor is asked for.
//!
//! Rule: at a moment between half and 70 % of its life, drawn for each certificate so that a mesh started at once is not
//! renewed at once. Until then a blocking query waits for whatever the agent changes. From then on it is asked for
//! outright, a hundred times in a life, and no query that might wait for nothing is relied on.

use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;

use crate::identity::Identity;
use crate::names::WorkloadName;

const EARLIEST: f64 = 0.5;
const LATEST: f64 = 0.7;
/// A healthy agent has made a successor by now.
const OVERDUE: f64 = 0.9;
const ASKED_IN_A_LIFE: u32 = 100;
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The plan for one certificate.
#[derive(Debug, Clone)]
pub(super) struct Renewal {
    due: SystemTime,
    overdue: SystemTime,
    not_before: SystemTime,
    not_after: SystemTime,
    pace: Duration,
    is_told: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Ask outright; otherwise, by a blocking query.
    pub(super) is_due: bool,
    /// How long a blocking query may wait, or how long to wait before asking again.
    pub(super) wait: Duration,
}

impl Renewal {
    /// `draw` is between 0 and 1.
    pub(super) fn of(identity: &Identity, draw: f64) -> Self {
        Self::within(identity.not_before(), identity.not_after(), draw)
    }

    pub(super) fn is_for(&self, identity: &Identity) -> bool {
        (self.not_before, self.not_after) == (identity.not_before(), identity.not_after())
    }

    fn within(not_before: SystemTime, not_after: SystemTime, draw: f64) -> Self {
        let life = not_after.duration_since(not_before).unwrap_or_default();
        Self {
            due: not_before + life.mul_f64(EARLIEST + (LATEST - EARLIEST) * draw),
            overdue: not_before + life.mul_f64(OVERDUE),
            not_before,
            not_after,
            pace: (life / ASKED_IN_A_LIFE).max(SHORTEST_WAIT),
            is_told: false,
        }
    }

    pub(super) fn step(&self, now: UnixTime, longest_wait: Duration) -> Step {
        match self.due.duration_since(system_time(now)) {
            // Consul takes a wait of 0 for its own default of minutes.
            Ok(left) if !left.is_zero() => Step { is_due: false, wait: left.clamp(SHORTEST_WAIT, longest_wait) },
            _ => Step { is_due: true, wait: self.pace.min(longest_wait) },
        }
    }

    /// Raises the alarm over a certificate that nears its end, once.
    pub(super) fn tell(&mut self, workload: &WorkloadName, now: UnixTime) {
        if !self.is_told && system_time(now) >= self.overdue {
            self.is_told = true;
            let left = self.not_after.duration_since(system_time(now)).unwrap_or_default();
            tracing::error!(%workload, ?left, "the certificate is not renewed: less than a tenth of its life is left");
        }
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_mins(1);
    const LIFE: Duration = Duration::from_secs(100_000);

    fn step(draw: f64, seconds: u64) -> Step {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000 + seconds));
        Renewal::within(start, start + LIFE, draw).step(now, WAIT)
    }

    #[test]
    fn a_successor_is_due_between_half_and_seventy_percent_of_life() {
        for (draw, due) in [(0.0, 50_000), (0.5, 60_000), (1.0, 70_000)] {
            assert!(!step(draw, due - 5).is_due, "{draw}");
            assert!(step(draw, due + 5).is_due, "{draw}");
        }
    }

    #[test]
    fn a_blocking_query_ends_when_the_successor_is_due() {
        assert_eq!(step(0.0, 1_000).wait, WAIT);
        assert_eq!(step(0.0, 49_970).wait, Duration::from_secs(30));
    }

    #[test]
    fn a_due_successor_is_asked_for_a_hundred_times_in_a_life_and_at_least_each_minute() {
        assert_eq!(step(0.0, 60_000), Step { is_due: true, wait: WAIT });
        let (start, end) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_hours(1));
        let late = UnixTime::since_unix_epoch(Duration::from_mins(59));
        let step = Renewal::within(start, end, 0.0).step(late, WAIT);
        assert_eq!(step, Step { is_due: true, wait: Duration::from_secs(36) });
    }
}
