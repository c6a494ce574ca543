//! When a job is due.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;

/// A run that begins no later than this after its time was not missed.
const PUNCTUAL: TimeDelta = TimeDelta::minutes(1);

/// When a job is due, and what becomes of the times that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    times: Times,
    missed: Missed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Every(Duration),
    At(&'static str),
}

/// What becomes of the times at which nobody ran the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// One run makes up for all of them, at once.
    #[default]
    RunOnce,
    /// They are left out. A run that begins within a minute of its time is not missed.
    Skip,
}

/// A schedule that has no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a cron pattern.
    #[error("`{pattern}` is no cron pattern: {reason}")]
    Pattern {
        /// What was written.
        pattern: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A period of no length, or one beyond all calendars.
    #[error("a period of {0:?} is none")]
    Period(Duration),
    /// The pattern names a time that never comes, such as the 31st of February.
    #[error("`{0}` names a time that never comes")]
    Never(&'static str),
}

impl Schedule {
    /// After each `period`, counted from the first start.
    pub const fn every(period: Duration) -> Self {
        Self { times: Times::Every(period), missed: Missed::RunOnce }
    }

    /// At the times of a cron pattern, in UTC: `0 3 * * *` is each night at three, `*/15 * * * *` each quarter of an
    /// hour (POSIX crontab: minute, hour, day of the month, month, day of the week).
    pub const fn at(pattern: &'static str) -> Self {
        Self { times: Times::At(pattern), missed: Missed::RunOnce }
    }

    /// With another answer to missed times.
    #[must_use]
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// The first time after `now`. A period is counted on from `last`, so that it does not drift.
    pub fn next(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
        match self.times {
            Times::Every(period) => {
                let wrong = || ScheduleError::Period(period);
                let step = i64::try_from(period.as_micros()).ok().filter(|step| *step > 0).ok_or_else(wrong)?;
                let passed = (now - last).num_microseconds().unwrap_or_default().max(0);
                let span = TimeDelta::microseconds(step.checked_mul(passed / step + 1).ok_or_else(wrong)?);
                last.checked_add_signed(span).ok_or_else(wrong)
            }
            Times::At(pattern) => {
                let wrong = |error: croner::errors::CronError| ScheduleError::Pattern { pattern, reason: error.to_string() };
                let cron = Cron::from_str(pattern).map_err(wrong)?;
                cron.find_next_occurrence(&now, false).map_err(|_| ScheduleError::Never(pattern))
            }
        }
    }

    /// Whether a run for `due` is to be left out at `now`.
    pub(crate) fn skips(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.missed == Missed::Skip && now - due > PUNCTUAL
    }

    /// The period, where it is one.
    pub fn period(&self) -> Option<Duration> {
        match self.times {
            Times::Every(period) => Some(period),
            Times::At(_) => None,
        }
    }

    /// The cron pattern, where it is one.
    pub fn pattern(&self) -> Option<&'static str> {
        match self.times {
            Times::Every(_) => None,
            Times::At(pattern) => Some(pattern),
        }
    }
}

impl From<Duration> for Schedule {
    fn from(period: Duration) -> Self {
        Self::every(period)
    }
}

/// As it stands in the database: `every 60s`, `at 0 3 * * *`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            Times::Every(period) => write!(f, "every {period:?}"),
            Times::At(pattern) => write!(f, "at {pattern}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_keeps_its_beat_however_late_a_run_ends() {
        let schedule = Schedule::every(Duration::from_mins(10));
        let due = time("2026-01-01T00:00:00Z");
        for (now, next) in [
            ("2026-01-01T00:00:03Z", "2026-01-01T00:10:00Z"),
            ("2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"),
            ("2026-01-01T05:35:00Z", "2026-01-01T05:40:00Z"),
            ("2025-12-31T23:59:59Z", "2026-01-01T00:10:00Z"),
        ] {
            assert_eq!(schedule.next(due, time(now)), Ok(time(next)), "{now}");
        }
    }

    #[test]
    fn a_pattern_names_the_next_time_in_utc() {
        let due = time("2026-02-27T03:00:00Z");
        let next = |pattern, now| Schedule::at(pattern).next(due, time(now)).unwrap();
        assert_eq!(next("0 3 * * *", "2026-02-28T02:59:59Z"), time("2026-02-28T03:00:00Z"));
        assert_eq!(next("0 3 * * *", "2026-02-28T03:00:00Z"), time("2026-03-01T03:00:00Z"));
        assert_eq!(next("30 4 29 2 *", "2026-02-28T00:00:00Z"), time("2028-02-29T04:30:00Z"));
    }

    #[test]
    fn a_schedule_without_times_is_refused() {
        let now = time("2026-01-01T00:00:00Z");
        assert!(matches!(Schedule::at("61 * * * *").next(now, now), Err(ScheduleError::Pattern { .. })));
        assert_eq!(Schedule::at("0 0 31 2 *").next(now, now), Err(ScheduleError::Never("0 0 31 2 *")));
        for period in [Duration::ZERO, Duration::MAX] {
            assert_eq!(Schedule::every(period).next(now, now), Err(ScheduleError::Period(period)));
        }
    }

    #[test]
    fn only_a_time_that_is_long_past_is_missed() {
        let (due, punctual, late) = (time("2026-01-01T00:00:00Z"), time("2026-01-01T00:01:00Z"), time("2026-01-01T00:01:01Z"));
        let skip = Schedule::at("0 0 * * *").missed(Missed::Skip);
        assert!(!skip.skips(due, punctual) && skip.skips(due, late));
        assert!(!Schedule::at("0 0 * * *").skips(due, late));
    }
}
