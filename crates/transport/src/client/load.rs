//! What a call to an endpoint is likely to cost: peak EWMA with a penalty for failures.
//!
//! Problem: an endpoint that slows down must be left before its queue grows, and one that fails fast
//! must not look quick. Rule: the estimate jumps to any slower answer at once and comes back slowly
//! (an average weighted by age, as finagle's and linkerd's balancers have it); a failure counts as an
//! answer of at least [`PENALTY`]; calls under way multiply it. Recovery: the estimate decays with
//! time even while nobody calls, so an endpoint that was bad is tried again.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// After this long an old answer counts for about a third.
const DECAY: Duration = Duration::from_secs(10);
/// What a failed call is taken to cost.
const PENALTY: Duration = Duration::from_secs(1);
/// What the first call to an endpoint is taken to cost: less than any call does, so that it is tried,
/// and more than nothing, so that calls under way count.
const UNKNOWN: Duration = Duration::from_micros(1);
/// A new endpoint gets its full share of calls after this: its caches are cold.
const SLOW_START: Duration = Duration::from_secs(10);
/// How much dearer than it is a new endpoint looks at its very start.
const COLD_FACTOR: f64 = 10.0;

/// The load of one endpoint.
#[derive(Debug)]
pub(super) struct Load {
    joined: Instant,
    under_way: AtomicUsize,
    estimate: Mutex<Estimate>,
}

#[derive(Debug)]
struct Estimate {
    seconds: f64,
    updated: Instant,
}

/// A call under way. It counts until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a Load);

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        let estimate = Estimate { seconds: UNKNOWN.as_secs_f64(), updated: now };
        Self { joined: now, under_way: AtomicUsize::new(0), estimate: Mutex::new(estimate) }
    }

    /// Counts a call that begins.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Takes in how long a call took and whether the endpoint failed it.
    pub(super) fn observe(&self, took: Duration, failed: bool, now: Instant) {
        let took = if failed { took.max(PENALTY) } else { took }.as_secs_f64();
        let mut estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept(now.saturating_duration_since(estimate.updated));
        estimate.seconds = if took > estimate.seconds { took } else { estimate.seconds * kept + took * (1.0 - kept) };
        estimate.updated = now;
    }

    /// What the next call is likely to cost; only its order matters.
    pub(super) fn cost(&self, weight: u16, now: Instant) -> f64 {
        let estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = estimate.seconds * kept(now.saturating_duration_since(estimate.updated));
        drop(estimate);
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 calls under way")]
        let queue = (self.under_way.load(Ordering::Relaxed) + 1) as f64;
        let warmth = now.saturating_duration_since(self.joined).as_secs_f64() / SLOW_START.as_secs_f64();
        let cold = if warmth < 1.0 { COLD_FACTOR + (1.0 - COLD_FACTOR) * warmth } else { 1.0 };
        seconds.max(f64::MIN_POSITIVE) * queue * cold / f64::from(weight.max(1))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How much of an estimate is left after a time.
fn kept(age: Duration) -> f64 {
    (-age.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Past its slow start.
    fn warm(now: Instant) -> (Load, Instant) {
        (Load::new(now), now + SLOW_START)
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
        let (load, now) = warm(Instant::now());
        load.observe(MS, false, now);
        let quick = load.cost(1, now);
        load.observe(100 * MS, false, now);
        assert!(load.cost(1, now) > 50.0 * quick);
        load.observe(MS, false, now + MS);
        assert!(load.cost(1, now + MS) > 50.0 * quick, "one quick answer does not make it quick");
        assert!(load.cost(1, now + 10 * DECAY) < quick, "time does");
    }

    #[test]
    fn failing_fast_is_dearer_than_answering_slowly() {
        let (failing, now) = warm(Instant::now());
        let slow = Load::new(now);
        let now = now + SLOW_START;
        failing.observe(MS / 10, true, now);
        slow.observe(200 * MS, false, now);
        assert!(failing.cost(1, now) > slow.cost(1, now));
    }

    #[test]
    fn calls_under_way_and_weight_count() {
        let (load, now) = warm(Instant::now());
        let idle = load.cost(1, now);
        let first = load.begin();
        let second = load.begin();
        assert!(load.cost(1, now) > 2.9 * idle && load.cost(1, now) < 3.1 * idle);
        assert!(load.cost(3, now) < 1.1 * idle);
        drop((first, second));
        assert!(load.cost(1, now) < 1.1 * idle);
    }

    #[test]
    fn a_new_endpoint_warms_up() {
        let now = Instant::now();
        let load = Load::new(now);
        let costs: Vec<_> = (0..=10).map(|tenth| load.cost(1, now + SLOW_START * tenth / 10)).collect();
        assert!(costs.windows(2).all(|pair| pair[1] < pair[0]), "{costs:?}");
    }
}
