//! The generic cell rate algorithm (ITU-T I.371, annex A).
//!
//! Rule: a bucket is one number, the time at which it will be full again, in whole microseconds: what
//! Redis tells the time in, and what its arithmetic keeps exact. A take moves it on by one interval;
//! a take that would move it further than `burst` intervals from now is refused.

use std::time::Duration;

use crate::{Taken, lifetime::LONGEST};

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: u64,
    room: u64,
}

/// Why a rate is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Nothing may happen.
    #[error("count must be at least 1")]
    Count,
    /// The bucket has no room.
    #[error("burst must be at least 1")]
    Burst,
    /// More often than once a microsecond.
    #[error("period must be at least a microsecond for each of count")]
    TooFast,
    /// The bucket takes more than a year to fill.
    #[error("burst times period / count must be at most a year")]
    TooSlow,
}

impl Rate {
    /// `count` in each `period`, evenly, and up to `burst` at once. What lies between two is rounded
    /// down to whole microseconds.
    pub fn new(count: u32, period: Duration, burst: u32) -> Result<Self, RateError> {
        let count = (count > 0).then_some(u128::from(count)).ok_or(RateError::Count)?;
        if burst == 0 {
            return Err(RateError::Burst);
        }
        let interval = u64::try_from(period.as_micros() / count).map_err(|_| RateError::TooSlow)?;
        if interval == 0 {
            return Err(RateError::TooFast);
        }
        let room = interval.checked_mul(u64::from(burst)).ok_or(RateError::TooSlow)?;
        if Duration::from_micros(room) > LONGEST {
            return Err(RateError::TooSlow);
        }
        Ok(Self { interval, room })
    }

    /// Between two that are evenly spread, in microseconds.
    pub(crate) fn interval(self) -> u64 {
        self.interval
    }

    /// From empty to full, in microseconds.
    pub(crate) fn room(self) -> u64 {
        self.room
    }

    /// What is left of a bucket that will be full after `full_in`, in microseconds.
    pub(crate) fn taken(self, full_in: u64) -> Taken {
        Taken::Yes { left: self.room.saturating_sub(full_in) / self.interval, full_in: Duration::from_micros(full_in) }
    }

    /// When a bucket that will be full at `full` will be full after one take at `now`, or how long to
    /// wait for it. All in microseconds.
    pub(crate) fn take(self, full: u64, now: u64) -> Result<u64, Duration> {
        // No bucket takes longer to fill than its room; a clock that was set back makes it seem so.
        let next = full.clamp(now, now.saturating_add(self.room)).saturating_add(self.interval);
        match (next - now).checked_sub(self.room) {
            None | Some(0) => Ok(next),
            Some(wait) => Err(Duration::from_micros(wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn taken(rate: Rate, full: &mut u64, takes: usize, now: u64) -> usize {
        (0..takes).filter(|_| rate.take(*full, now).inspect(|next| *full = *next).is_ok()).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_its_rate_after() {
        let (rate, mut full) = (Rate::new(10, Duration::from_secs(1), 20).unwrap(), 0);
        assert_eq!(taken(rate, &mut full, 100, 5 * SECOND), 20);
        assert_eq!(rate.take(full, 5 * SECOND), Err(Duration::from_millis(100)));
        assert_eq!(taken(rate, &mut full, 100, 6 * SECOND), 10);
        assert_eq!(taken(rate, &mut full, 100, 600 * SECOND), 20, "a pause fills it and no more");
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_the_room() {
        let (rate, mut full) = (Rate::new(1, Duration::from_secs(1), 2).unwrap(), 0);
        assert_eq!(taken(rate, &mut full, 3, 9000 * SECOND), 2);
        assert_eq!(rate.take(full, 5 * SECOND), Err(Duration::from_secs(1)));
    }

    #[test]
    fn rates_that_are_none_are_refused_by_the_field() {
        let second = Duration::from_secs(1);
        assert_eq!(Rate::new(0, second, 1), Err(RateError::Count));
        assert_eq!(Rate::new(1, second, 0), Err(RateError::Burst));
        assert_eq!(Rate::new(1_000_001, second, 1), Err(RateError::TooFast));
        assert_eq!(Rate::new(1, second, u32::MAX), Err(RateError::TooSlow));
        assert_eq!(Rate::new(1, Duration::MAX, 1), Err(RateError::TooSlow));
        assert!(Rate::new(1_000_000, second, u32::MAX).is_ok());
    }
}
