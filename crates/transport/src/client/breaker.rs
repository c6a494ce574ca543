//! Which endpoints are left alone for a while.
//!
//! Problem: calls to an endpoint that is broken are lost, and each of them costs its caller time.
//! Rule: an endpoint is ejected after a few failures in a row, or when too few of enough calls within
//! a window succeeded ([`BreakerTuning`] has the numbers). The window slides, by a tenth at a time: what
//! counts is the time before a call, wherever in it the failures fell. It stays ejected for a time that doubles
//! with each ejection in a row. Recovery: after that time one call at a time probes it; the first
//! success takes it back, a failure ejects it for longer. The balancer never obeys when it has no
//! other endpoint: a bad endpoint is better than none.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::tuning::BreakerTuning;

/// A probe that never reports back stands in nobody's way for longer than this.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// The endpoint failed it.
    pub(super) failed: bool,
    /// It was the probe of an ejected endpoint.
    pub(super) probed: bool,
}

/// The breaker of one endpoint.
#[derive(Debug)]
pub(super) struct Breaker {
    /// What `breaking` says, for those who only ask: every pick does.
    is_ejected: AtomicBool,
    breaking: Mutex<Breaking>,
}

#[derive(Debug)]
struct Breaking {
    /// Failures in a row.
    consecutive: u32,
    recent: Recent,
    /// Ejections in a row.
    ejections: u32,
    ejected_until: Option<Instant>,
    probing_since: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Self {
        let breaking =
            Breaking { consecutive: 0, recent: Recent::new(now), ejections: 0, ejected_until: None, probing_since: None };
        Self { is_ejected: AtomicBool::new(false), breaking: Mutex::new(breaking) }
    }

    /// True unless the endpoint is ejected.
    pub(super) fn is_in_service(&self) -> bool {
        !self.is_ejected.load(Ordering::Relaxed)
    }

    /// Makes the next call the probe of an ejected endpoint, if its time has come and no other call
    /// is its probe.
    pub(super) fn claim_probe(&self, now: Instant) -> bool {
        if self.is_in_service() {
            return false;
        }
        self.with(|breaking| {
            let due = breaking.ejected_until.is_some_and(|until| now >= until);
            let free = breaking.probing_since.is_none_or(|since| now.saturating_duration_since(since) > PROBE_LIMIT);
            if due && free {
                breaking.probing_since = Some(now);
            }
            due && free
        })
    }

    /// Takes in how a call ended; true if it ejects the endpoint. `jitter` is from 0 to 1.
    pub(super) fn observe(&self, ended: Ended, tuning: &BreakerTuning, jitter: f64, now: Instant) -> bool {
        self.with(|breaking| {
            breaking.recent.slide(tuning.window, now);
            if ended.failed { breaking.failure(ended.probed, tuning, jitter, now) } else { breaking.success(ended.probed) }
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Breaking) -> T) -> T {
        let mut breaking = self.breaking.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut breaking);
        self.is_ejected.store(breaking.ejected_until.is_some(), Ordering::Relaxed);
        result
    }
}

impl Breaking {
    fn success(&mut self, probed: bool) -> bool {
        self.consecutive = 0;
        self.recent.count(false);
        if probed {
            // Only a probe speaks for an ejected endpoint: an answer to an older call is old news.
            (self.ejected_until, self.probing_since, self.ejections) = (None, None, 0);
        }
        false
    }

    fn failure(&mut self, probed: bool, tuning: &BreakerTuning, jitter: f64, now: Instant) -> bool {
        self.consecutive += 1;
        self.recent.count(true);
        let (succeeded, failed) = self.recent.sum();
        let calls = succeeded.saturating_add(failed);
        let rate_low = calls >= tuning.minimum_calls && f64::from(succeeded) < tuning.success_rate * f64::from(calls);
        let in_service = self.ejected_until.is_none();
        let eject = probed || in_service && (self.consecutive >= tuning.consecutive_failures || rate_low);
        if eject {
            let doubled = tuning.ejection.saturating_mul(2_u32.saturating_pow(self.ejections.min(16)));
            // Up to a quarter longer, so that many callers do not probe at one moment.
            self.ejected_until = Some(now + tuning.ejection_limit.min(doubled).mul_f64(1.0 + 0.25 * jitter));
            self.ejections += 1;
            (self.consecutive, self.recent, self.probing_since) = (0, Recent::new(now), None);
        }
        eject
    }
}

/// Parts that the window slides by.
const PARTS: u32 = 10;

/// The calls of the last while.
#[derive(Debug)]
struct Recent {
    /// When the part that counts now began.
    began: Instant,
    /// Where it is in `parts`; those behind it are older, round the ring.
    now: usize,
    parts: [Counts; PARTS as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    succeeded: u32,
    failed: u32,
}

impl Recent {
    fn new(now: Instant) -> Self {
        Self { began: now, now: 0, parts: Default::default() }
    }

    /// Forgets the parts of the window that lie too far back.
    fn slide(&mut self, window: Duration, now: Instant) {
        let part = (window / PARTS).max(Duration::from_nanos(1));
        let passed = now.saturating_duration_since(self.began).as_nanos() / part.as_nanos();
        // What has passed more often than there are parts is as if all had passed.
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        for _ in 0..passed.min(PARTS) {
            self.now = (self.now + 1) % self.parts.len();
            self.parts[self.now] = Counts::default();
        }
        self.began = if passed < PARTS { self.began + part * passed } else { now };
    }

    fn count(&mut self, failed: bool) {
        let part = &mut self.parts[self.now];
        let count = if failed { &mut part.failed } else { &mut part.succeeded };
        *count = count.saturating_add(1);
    }

    /// Those that succeeded, and those that failed.
    fn sum(&self) -> (u32, u32) {
        self.parts.iter().fold((0, 0), |(succeeded, failed), part| {
            (u32::saturating_add(succeeded, part.succeeded), u32::saturating_add(failed, part.failed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the balancer asks: in service, or worth a probe.
    fn admits(breaker: &Breaker, now: Instant) -> bool {
        breaker.is_in_service() || breaker.claim_probe(now)
    }

    const SECOND: Duration = Duration::from_secs(1);
    const CONSECUTIVE: u32 = 5;
    const WINDOW: Duration = Duration::from_secs(10);
    const EJECTION: Duration = SECOND;

    fn ends(breaker: &Breaker, failed: bool, now: Instant) -> bool {
        breaker.observe(Ended { failed, probed: false }, &BreakerTuning::default(), 0.0, now)
    }

    fn probe_ends(breaker: &Breaker, failed: bool, now: Instant) -> bool {
        breaker.observe(Ended { failed, probed: true }, &BreakerTuning::default(), 0.0, now)
    }

    fn ejected(now: Instant) -> Breaker {
        let breaker = Breaker::new(now);
        let ejections: Vec<_> = (0..CONSECUTIVE).map(|_| ends(&breaker, true, now)).collect();
        assert_eq!(ejections, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        for _ in 0..3 {
            // Enough successes to keep the rate up.
            for _ in 0..CONSECUTIVE {
                ends(&breaker, false, now);
            }
            for _ in 1..CONSECUTIVE {
                ends(&breaker, true, now);
            }
        }
        assert!(admits(&breaker, now));
        assert!(!admits(&ejected(now), now));
    }

    #[test]
    fn a_low_success_rate_ejects_once_there_are_enough_calls() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        // Two failures, one success: never five failures in a row.
        let ejected_at = (1..=60).find(|call| ends(&breaker, call % 3 != 0, now));
        assert_eq!(ejected_at, Some(20));
    }

    #[test]
    fn old_calls_do_not_count() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        for call in 1..20 {
            ends(&breaker, call % 3 != 0, now);
        }
        assert!(!ends(&breaker, true, now + WINDOW + SECOND));
    }

    #[test]
    fn failures_on_both_sides_of_a_windows_edge_are_counted_together() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        // One half of the failures at the end of what was the first window, one at the beginning of the next.
        let late = now + WINDOW - Duration::from_millis(1);
        for call in 1..11 {
            assert!(!ends(&breaker, call % 3 != 0, late));
        }
        let ejected_at = (11..=60).find(|call| ends(&breaker, call % 3 != 0, now + WINDOW + SECOND));
        assert_eq!(ejected_at, Some(20));
    }

    #[test]
    fn a_part_of_the_window_is_forgotten_at_its_time_and_not_before() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        recent.count(true);
        recent.slide(WINDOW, now + 5 * SECOND);
        recent.count(false);
        recent.slide(WINDOW, now + 9 * SECOND);
        assert_eq!(recent.sum(), (1, 1));
        recent.slide(WINDOW, now + 10 * SECOND);
        assert_eq!(recent.sum(), (1, 0));
        recent.slide(WINDOW, now + 15 * SECOND);
        assert_eq!(recent.sum(), (0, 0));
    }

    #[test]
    fn one_probe_at_a_time_decides_and_ejections_grow() {
        let now = Instant::now();
        let breaker = ejected(now);
        let probe = now + EJECTION;
        assert!(admits(&breaker, probe));
        assert!(!admits(&breaker, probe), "one at a time");
        assert!(probe_ends(&breaker, true, probe), "a failed probe ejects again");
        assert!(!admits(&breaker, probe + EJECTION), "and for longer");
        let second = probe + 2 * EJECTION;
        assert!(admits(&breaker, second));
        assert!(!probe_ends(&breaker, false, second));
        assert!(admits(&breaker, second) && admits(&breaker, second), "a good one takes it back");
    }

    #[test]
    fn an_answer_to_an_older_call_says_nothing_of_an_ejected_endpoint() {
        let now = Instant::now();
        let breaker = ejected(now);
        ends(&breaker, false, now);
        assert!(!admits(&breaker, now));
        assert!(admits(&breaker, now + EJECTION), "the probe");
        for failed in [false, true] {
            assert!(!ends(&breaker, failed, now + EJECTION));
        }
        assert!(!breaker.is_in_service(), "the probe has not answered yet");
        assert!(!probe_ends(&breaker, false, now + EJECTION));
        assert!(breaker.is_in_service());
    }

    #[test]
    fn a_probe_that_never_ends_is_given_up() {
        let now = Instant::now();
        let breaker = ejected(now);
        assert!(admits(&breaker, now + EJECTION));
        assert!(admits(&breaker, now + EJECTION + PROBE_LIMIT + SECOND));
    }
}
