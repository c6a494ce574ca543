//! Which endpoints are left alone for a while.
//!
//! Problem: calls to an endpoint that is broken are lost, and each of them costs its caller time.
//! Rule: an endpoint is ejected after [`CONSECUTIVE`] failures in a row, or when fewer than half of
//! at least [`SAMPLE`] calls within [`WINDOW`] succeeded. It stays ejected for a time that doubles
//! with each ejection in a row. Recovery: after that time one call at a time probes it; the first
//! success takes it back, a failure ejects it for longer. The balancer never obeys when it has no
//! other endpoint: a bad endpoint is better than none.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row that eject.
const CONSECUTIVE: u32 = 5;
/// The window of the success rate, and the calls in it without which the rate says nothing.
const WINDOW: Duration = Duration::from_secs(10);
const SAMPLE: u32 = 20;
/// The first ejection's length; each in a row doubles it, up to the limit.
const EJECTION: Duration = Duration::from_secs(1);
const EJECTION_LIMIT: Duration = Duration::from_mins(1);
/// A probe that never reports back stands in nobody's way for longer than this.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// The breaker of one endpoint.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<Breaking>);

#[derive(Debug)]
struct Breaking {
    /// Failures in a row.
    consecutive: u32,
    window_began: Instant,
    succeeded: u32,
    failed: u32,
    /// Ejections in a row.
    ejections: u32,
    ejected_until: Option<Instant>,
    probing_since: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Breaking {
            consecutive: 0,
            window_began: now,
            succeeded: 0,
            failed: 0,
            ejections: 0,
            ejected_until: None,
            probing_since: None,
        }))
    }

    /// True unless the endpoint is ejected.
    pub(super) fn is_in_service(&self) -> bool {
        self.with(|breaking| breaking.ejected_until.is_none())
    }

    /// Makes the next call the probe of an ejected endpoint, if its time has come and no other call
    /// is its probe.
    pub(super) fn claim_probe(&self, now: Instant) -> bool {
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
    pub(super) fn observe(&self, failed: bool, jitter: f64, now: Instant) -> bool {
        self.with(|breaking| if failed { breaking.failure(jitter, now) } else { breaking.success(now) })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Breaking) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Breaking {
    fn success(&mut self, now: Instant) -> bool {
        self.roll(now);
        self.consecutive = 0;
        self.succeeded += 1;
        if self.probing_since.take().is_some() {
            // Only a probe speaks for an ejected endpoint: an answer to an older call is old news.
            self.ejected_until = None;
            self.ejections = 0;
        }
        false
    }

    fn failure(&mut self, jitter: f64, now: Instant) -> bool {
        self.roll(now);
        self.consecutive += 1;
        self.failed += 1;
        let probed = self.probing_since.take().is_some();
        let rate_low = self.succeeded + self.failed >= SAMPLE && self.failed > self.succeeded;
        let in_service = self.ejected_until.is_none();
        let eject = probed || in_service && (self.consecutive >= CONSECUTIVE || rate_low);
        if eject {
            let length = EJECTION_LIMIT.min(EJECTION * 2_u32.saturating_pow(self.ejections.min(16)));
            // Up to a quarter longer, so that many callers do not probe at one moment.
            self.ejected_until = Some(now + length.mul_f64(1.0 + 0.25 * jitter));
            self.ejections += 1;
            (self.consecutive, self.succeeded, self.failed) = (0, 0, 0);
        }
        eject
    }

    /// Begins a new window when the old one is over.
    fn roll(&mut self, now: Instant) {
        if now.saturating_duration_since(self.window_began) > WINDOW {
            (self.window_began, self.succeeded, self.failed) = (now, 0, 0);
        }
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

    fn ejected(now: Instant) -> Breaker {
        let breaker = Breaker::new(now);
        let ejections: Vec<_> = (0..CONSECUTIVE).map(|_| breaker.observe(true, 0.0, now)).collect();
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
                breaker.observe(false, 0.0, now);
            }
            for _ in 1..CONSECUTIVE {
                breaker.observe(true, 0.0, now);
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
        let ejected_at = (1..=60).find(|call| breaker.observe(call % 3 != 0, 0.0, now));
        assert_eq!(ejected_at, Some(20));
    }

    #[test]
    fn old_calls_do_not_count() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        for call in 1..20 {
            breaker.observe(call % 3 != 0, 0.0, now);
        }
        assert!(!breaker.observe(true, 0.0, now + WINDOW + SECOND));
    }

    #[test]
    fn one_probe_at_a_time_decides_and_ejections_grow() {
        let now = Instant::now();
        let breaker = ejected(now);
        let probe = now + EJECTION;
        assert!(admits(&breaker, probe));
        assert!(!admits(&breaker, probe), "one at a time");
        assert!(breaker.observe(true, 0.0, probe), "a failed probe ejects again");
        assert!(!admits(&breaker, probe + EJECTION), "and for longer");
        let second = probe + 2 * EJECTION;
        assert!(admits(&breaker, second));
        assert!(!breaker.observe(false, 0.0, second));
        assert!(admits(&breaker, second) && admits(&breaker, second), "a good one takes it back");
    }

    #[test]
    fn an_answer_to_an_older_call_does_not_take_back_an_ejected_endpoint() {
        let now = Instant::now();
        let breaker = ejected(now);
        breaker.observe(false, 0.0, now);
        assert!(!admits(&breaker, now));
    }

    #[test]
    fn a_probe_that_never_ends_is_given_up() {
        let now = Instant::now();
        let breaker = ejected(now);
        assert!(admits(&breaker, now + EJECTION));
        assert!(admits(&breaker, now + EJECTION + PROBE_LIMIT + SECOND));
    }
}
