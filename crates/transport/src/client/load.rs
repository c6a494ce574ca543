//! What a call to an endpoint is likely to cost: peak EWMA with a penalty for failures.
//!
//! Problem: an endpoint that slows down must be left before its queue grows, and one that fails fast
//! must not look quick. Rule: the estimate jumps to any slower answer at once and comes back slowly
//! (an average weighted by age, as finagle's and linkerd's balancers have it); a failure adds
//! [`PENALTY`], its own time or the time for which the endpoint asked to be left alone, whichever is
//! longest; calls under way multiply it. Recovery: the estimate decays with time even while nobody
//! calls, so an endpoint that was bad is tried again; a penalty, which is no measurement, is forgotten
//! sooner than a slow answer, or a healed endpoint would be left idle for most of a minute.

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
/// After this long a penalty counts for about a third.
const PENALTY_DECAY: Duration = Duration::from_secs(3);
/// What a failed call is taken to cost, unless the endpoint asks to be left alone for longer: more than slow answers that
/// succeed, or callers would flee from an endpoint that is slow to one that refuses.
const PENALTY: Duration = Duration::from_secs(3);
/// What it costs at most, whatever the endpoint asks.
const PENALTY_LIMIT: Duration = Duration::from_secs(30);
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
    penalty: f64,
    penalised: Instant,
}

/// A call under way. It counts until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a Load);

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        let estimate = Estimate { seconds: UNKNOWN.as_secs_f64(), updated: now, penalty: 0.0, penalised: now };
        Self { joined: now, under_way: AtomicUsize::new(0), estimate: Mutex::new(estimate) }
    }

    /// Counts a call that begins.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Takes in a call that went well.
    pub(super) fn answered(&self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let mut estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept(now.saturating_duration_since(estimate.updated), DECAY);
        estimate.seconds = if took > estimate.seconds { took } else { estimate.seconds * kept + took * (1.0 - kept) };
        estimate.updated = now;
    }

    /// Takes in a call that the endpoint failed, and how long it asked to be left alone.
    pub(super) fn failed(&self, took: Duration, pushback: Option<Duration>, now: Instant) {
        let penalty = pushback.unwrap_or_default().clamp(PENALTY, PENALTY_LIMIT);
        let mut estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept(now.saturating_duration_since(estimate.penalised), PENALTY_DECAY);
        estimate.penalty = took.max(penalty).as_secs_f64().max(estimate.penalty * kept);
        estimate.penalised = now;
    }

    /// What the next call is likely to cost; only its order matters.
    pub(super) fn cost(&self, weight: u16, now: Instant) -> f64 {
        let estimate = self.estimate.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = estimate.seconds * kept(now.saturating_duration_since(estimate.updated), DECAY)
            + estimate.penalty * kept(now.saturating_duration_since(estimate.penalised), PENALTY_DECAY);
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

/// How much of what was learnt is left after a time.
fn kept(age: Duration, decay: Duration) -> f64 {
    (-age.as_secs_f64() / decay.as_secs_f64()).exp()
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
        load.answered(MS, now);
        let quick = load.cost(1, now);
        load.answered(100 * MS, now);
        assert!(load.cost(1, now) > 50.0 * quick);
        load.answered(MS, now + MS);
        assert!(load.cost(1, now + MS) > 50.0 * quick, "one quick answer does not make it quick");
        assert!(load.cost(1, now + 10 * DECAY) < quick, "time does");
    }

    #[test]
    fn failing_fast_is_dearer_than_answering_slowly() {
        let (failing, now) = warm(Instant::now());
        let slow = Load::new(now);
        let now = now + SLOW_START;
        failing.failed(MS / 10, None, now);
        slow.answered(200 * MS, now);
        assert!(failing.cost(1, now) > slow.cost(1, now));
    }

    #[test]
    fn an_endpoint_that_asks_to_be_left_alone_is() {
        let (load, now) = warm(Instant::now());
        load.failed(MS, Some(Duration::from_secs(5)), now);
        let asked = load.cost(1, now);
        assert!(asked > 4.9 && asked < 5.1, "{asked}");
        load.failed(MS, Some(Duration::from_hours(5)), now);
        assert!(load.cost(1, now) < 31.0, "but not for ever");
    }

    #[test]
    fn a_failure_is_forgotten_sooner_than_a_slow_answer() {
        let (healed, now) = warm(Instant::now());
        let (slow, usual) = (Load::new(now - SLOW_START), Load::new(now - SLOW_START));
        for load in [&healed, &slow, &usual] {
            load.answered(10 * MS, now);
        }
        healed.failed(MS, None, now);
        slow.answered(1000 * MS, now);
        let later = now + 7 * PENALTY_DECAY;
        usual.answered(10 * MS, later);
        assert!(healed.cost(1, now) > slow.cost(1, now) && healed.cost(1, later) < usual.cost(1, later));
        assert!(slow.cost(1, later) > usual.cost(1, later));
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
