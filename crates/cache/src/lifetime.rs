//! How long entries live.

use std::time::Duration;

/// How much of a time to live is left to chance, so that what was filled together does not expire
/// together.
const JITTER: f64 = 0.1;

/// The shortest time to live that Redis knows.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// The longest time to live, so that no arithmetic overflows.
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 365);

/// At most `ttl`, and at least nine tenths of it.
pub(crate) fn jittered(ttl: Duration) -> Duration {
    shortened(ttl, fastrand::f64())
}

fn shortened(ttl: Duration, chance: f64) -> Duration {
    ttl.clamp(SHORTEST, LONGEST).mul_f64(1.0 - JITTER * chance).max(SHORTEST)
}

/// Whole milliseconds, as Redis takes them.
pub(crate) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.clamp(SHORTEST, LONGEST).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lives_no_longer_than_stated_and_a_tenth_shorter_at_most() {
        let ttl = Duration::from_mins(10);
        assert_eq!(shortened(ttl, 0.0), ttl);
        assert_eq!(shortened(ttl, 1.0), Duration::from_mins(9));
        assert_eq!(shortened(ttl, 0.5), Duration::from_secs(570));
    }

    #[test]
    fn what_was_filled_together_expires_apart() {
        let lives: std::collections::HashSet<_> = (0..100).map(|_| jittered(Duration::from_mins(10))).collect();
        assert!(lives.len() > 50);
        assert!(lives.iter().all(|life| (Duration::from_mins(9)..=Duration::from_mins(10)).contains(life)));
    }

    #[test]
    fn no_time_to_live_is_out_of_range() {
        assert_eq!(millis(jittered(Duration::ZERO)), 1);
        assert_eq!(millis(Duration::MAX), millis(LONGEST));
        assert!(jittered(Duration::MAX) <= LONGEST);
    }
}
