//! Which failed calls are sent again, and how many of them.
//!
//! It stands within the deadline, which all attempts share, and around the balancer, which finds
//! each of them an endpoint.
//!
//! Problem: a retry hides a lost connection, and a thousand retries finish a domain that is merely
//! slow. Rule: a call is sent again only if its contract says that a repeat does no harm (READ,
//! NATURAL, or KEYED with a key), only after UNAVAILABLE, when an overloaded domain refused it, or
//! when an endpoint did not answer within its share of the time, only with time left, only a few
//! times, and only while the callee's budget lasts. A process that hangs refuses nothing: without
//! shares of the time, one attempt would wait for it until there is none left for another. The budget
//! is one for all calls to a domain: each first attempt pays in a share of a retry and a trickle comes
//! by time, so that by default at most one call in six of a storm is a repeat (the reasoning is that
//! of Finagle's and tower's retry budgets).
//! Recovery: with the budget spent, failures pass through at once until first attempts have paid
//! in again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use weft_call::{Call, Code, Deadline, Error, Idempotency, MeshReason, MethodContract, Payload, Reply, Result};

use weft_telemetry::Metrics;

use super::layer::{Attempt, GivingUp, Layer, Outgoing, Tried};
use crate::tuning::{LiveTuning, RetryTuning};

/// Sends calls again.
pub(super) struct Retried<L> {
    pub(super) budget: Arc<RetryBudget>,
    pub(super) metrics: Metrics,
    pub(super) tuning: LiveTuning,
    pub(super) within: L,
}

impl<L: Layer> Layer for Retried<L> {
    async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let Outgoing { call, method, deadline, .. } = outgoing;
        // A stream cannot be sent again: what was read of it is gone.
        let Payload::Message(message) = outgoing.request else { return self.within.send(outgoing).await };
        let Self { budget, metrics, tuning, within } = self;
        let mut repeats = Repeats::begin(Repeated { budget, metrics, tuning, method, deadline }, call);
        loop {
            let (request, attempt) = (Payload::Message(message.clone()), repeats.attempt());
            match within.send(Outgoing { call, method, request, deadline, attempt }).await {
                Err(error) if repeats.may_follow(&error).await => {}
                result => return result,
            }
        }
    }
}

/// What the repeats of one call have in common.
pub(super) struct Repeated<'a> {
    pub(super) budget: &'a RetryBudget,
    pub(super) metrics: &'a Metrics,
    pub(super) tuning: &'a LiveTuning,
    pub(super) method: &'static MethodContract,
    pub(super) deadline: Option<Deadline>,
}

/// The attempts at one call.
pub(super) struct Repeats<'a> {
    of: Repeated<'a>,
    repeatable: bool,
    tried: Tried,
    /// Of the attempt that is made now; 1 is the first.
    number: u32,
}

impl<'a> Repeats<'a> {
    /// Before the first attempt.
    pub(super) fn begin(of: Repeated<'a>, call: &Call) -> Self {
        of.budget.deposit(Instant::now());
        let repeatable = may_repeat(of.method, call);
        Self { of, repeatable, tried: Tried::default(), number: 1 }
    }

    fn is_followed(&self) -> bool {
        self.repeatable && self.number <= self.of.tuning.load().retry.attempts
    }

    /// How the attempt is made that comes now.
    pub(super) fn attempt(&self) -> Attempt<'_> {
        let patience = |deadline: Deadline| patience(deadline.remaining(), self.number, &self.of.tuning.load().retry);
        let patience = self.of.deadline.filter(|_| self.is_followed()).and_then(patience);
        Attempt {
            probes: self.repeatable && self.number == 1,
            tried: Some(&self.tried),
            giving_up: patience.map(|patience| GivingUp { patience, budget: self.of.budget }),
        }
    }

    /// Waits until another attempt may be made after one that failed so; false if none may.
    pub(super) async fn may_follow(&mut self, failed: &Error) -> bool {
        if !self.is_followed() {
            return false;
        }
        let Repeated { budget, metrics, tuning, method, deadline } = &self.of;
        if self.tried.was_given_up() {
            // Its repeat is paid for, and has waited long enough.
            self.number += 1;
            metrics.count_retry(method.domain, false);
            return true;
        }
        let fits = |pause: &Duration| deadline.is_none_or(|deadline| deadline.remaining() > *pause);
        let Some(pause) = pause(failed, self.number, &tuning.load().retry).filter(fits) else { return false };
        if !budget.withdraw(Instant::now()) {
            metrics.count_retry_refused(method.domain);
            return false;
        }
        metrics.count_retry(method.domain, true);
        self.number += 1;
        tracing::debug!(attempt = self.number, error = %failed, "the call is sent again");
        tokio::time::sleep(pause).await;
        true
    }
}

/// Retries that an idle client saves up: enough to ride out a restart, spent in a moment by a storm.
const SAVINGS: f64 = 100.0;
/// The least share of the time: what is merely busy is not given up.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

/// The retries that the calls to one domain may still make.
#[derive(Debug)]
pub(super) struct RetryBudget {
    balance: Mutex<Balance>,
    tuning: LiveTuning,
}

#[derive(Debug)]
struct Balance {
    retries: f64,
    counted: Instant,
}

impl RetryBudget {
    pub(super) fn new(tuning: LiveTuning, now: Instant) -> Self {
        let retries = f64::from(tuning.load().retry.budget_floor);
        Self { balance: Mutex::new(Balance { retries, counted: now }), tuning }
    }

    /// The retries that may be made now.
    pub(super) fn balance(&self, now: Instant) -> f64 {
        self.with(now, |retries| *retries)
    }

    /// A first attempt is made.
    pub(super) fn deposit(&self, now: Instant) {
        let ratio = self.tuning.load().retry.budget_ratio;
        self.with(now, |retries| *retries = (*retries + ratio).min(SAVINGS));
    }

    /// Takes out a retry; false if there is none.
    pub(super) fn withdraw(&self, now: Instant) -> bool {
        self.with(now, |retries| {
            let enough = *retries >= 1.0;
            if enough {
                *retries -= 1.0;
            }
            enough
        })
    }

    fn with<T>(&self, now: Instant, change: impl FnOnce(&mut f64) -> T) -> T {
        let floor = f64::from(self.tuning.load().retry.budget_floor);
        let mut balance = self.balance.lock().unwrap_or_else(PoisonError::into_inner);
        let trickled = now.saturating_duration_since(balance.counted).as_secs_f64() * floor;
        balance.counted = balance.counted.max(now);
        balance.retries = (balance.retries + trickled).min(SAVINGS.max(floor));
        change(&mut balance.retries)
    }
}

/// True if the contract says that sending the call twice does no harm.
fn may_repeat(method: &MethodContract, call: &Call) -> bool {
    #[cfg(feature = "sabotage")]
    if weft_sabotage::Sabotage::NoRetries.is_on() {
        return false;
    }
    match method.idempotency {
        Idempotency::Read | Idempotency::Natural => true,
        Idempotency::Keyed => call.idempotency_key().is_some(),
        Idempotency::None => false,
    }
}

/// How long the attempt `attempt` (1 is the first) may stay unanswered when another endpoint could be
/// asked: an even share of the time that is left for it and those that may follow. Nothing if no time
/// would be left for another.
fn patience(left: Duration, attempt: u32, tuning: &RetryTuning) -> Option<Duration> {
    #[cfg(feature = "sabotage")]
    if weft_sabotage::Sabotage::NoPatience.is_on() {
        return None;
    }
    let attempts = tuning.attempts.saturating_add(2).saturating_sub(attempt);
    let share = (left / attempts.max(1)).max(LEAST_PATIENCE);
    (share < left).then_some(share)
}

/// How long to wait before the attempt `attempt` (1 is the first retry), if the failure is one that
/// may pass. The callee's own word goes before ours.
fn pause(error: &Error, attempt: u32, tuning: &RetryTuning) -> Option<Duration> {
    let may_pass = error.code() == Code::Unavailable || error.reason() == Some(MeshReason::Overloaded);
    if !may_pass {
        return None;
    }
    let ceiling = tuning.pause_limit.min(tuning.first_pause.saturating_mul(4_u32.saturating_pow(attempt - 1)));
    // Full jitter: those who failed together do not come back together.
    Some(error.retry_after().unwrap_or_else(|| ceiling.mul_f64(fastrand::f64())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use bytes::Bytes;
    use weft_call::{CallBuilder, Clock, IdempotencyKey};

    use super::*;
    use crate::{fixture, tuning::Tuning};

    #[test]
    fn only_what_the_contract_calls_harmless_is_repeated() {
        let mut parts = CallBuilder::new(Clock::system());
        let without = parts.clone().build();
        parts.idempotency_key = Some(IdempotencyKey::fresh());
        let with = parts.build();
        for (idempotency, keyless, keyed) in [
            (Idempotency::Read, true, true),
            (Idempotency::Natural, true, true),
            (Idempotency::Keyed, false, true),
            (Idempotency::None, false, false),
        ] {
            let method = fixture::contract("orders", idempotency);
            assert_eq!((may_repeat(&method, &without), may_repeat(&method, &with)), (keyless, keyed), "{idempotency:?}");
        }
    }

    #[test]
    fn a_storm_of_failures_is_repeated_at_most_once_in_six() {
        let now = Instant::now();
        let budget = RetryBudget::new(LiveTuning::default(), now);
        let mut retries = 0;
        for _ in 0..60_000 {
            budget.deposit(now);
            retries += u32::from(budget.withdraw(now));
        }
        let Tuning { retry: RetryTuning { budget_floor, .. }, .. } = Tuning::default();
        assert!((11_990..=12_000 + budget_floor).contains(&retries), "{retries}");
    }

    #[test]
    fn an_idle_client_saves_up_a_few_retries_and_no_more() {
        let began = Instant::now();
        let budget = RetryBudget::new(LiveTuning::default(), began);
        let spend = |now| (0..1000).take_while(|_| budget.withdraw(now)).count();
        assert_eq!(spend(began), 10);
        assert_eq!(spend(began + Duration::from_millis(500)), 5);
        assert_eq!(spend(began + Duration::from_hours(1)), 100);
    }

    #[test]
    fn every_attempt_gets_an_even_share_of_the_time() {
        let (second, tuning) = (Duration::from_secs(1), RetryTuning { attempts: 2, ..Tuning::default().retry });
        assert_eq!(patience(3 * second, 1, &tuning), Some(second));
        assert_eq!(patience(2 * second, 2, &tuning), Some(second));
        assert_eq!(patience(second / 5, 1, &tuning), Some(LEAST_PATIENCE));
        assert_eq!(patience(second / 100, 1, &tuning), None, "it would wait past the deadline");
    }

    #[test]
    fn only_unavailable_is_waited_out_and_pushback_is_honoured() {
        let tuning = Tuning::default().retry;
        assert_eq!(pause(&Error::new(MeshReason::DeadlineSpent, ""), 1, &tuning), None);
        assert_eq!(pause(&Error::new(MeshReason::Internal, ""), 1, &tuning), None);
        let gone = Error::new(MeshReason::UpstreamUnavailable, "");
        assert!(pause(&gone, 1, &tuning).is_some_and(|pause| pause <= tuning.first_pause));
        assert!(pause(&gone, 9, &tuning).is_some_and(|pause| pause <= tuning.pause_limit));
        assert_eq!(pause(&gone.with_retry_after(Duration::from_secs(3)), 1, &tuning), Some(Duration::from_secs(3)));
    }

    /// Fails every attempt with the same error, and counts them.
    struct Failing {
        attempts: AtomicU32,
        error: fn() -> Error,
    }

    impl Layer for Failing {
        async fn send<'a>(&'a self, _: Outgoing<'a>) -> Result<Reply<Payload>> {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            Err((self.error)())
        }
    }

    /// How often a call is sent, and how long that takes.
    async fn sent(idempotency: Idempotency, left: u64, error: fn() -> Error) -> (u32, Duration) {
        let tuning = LiveTuning::default();
        let budget = Arc::new(RetryBudget::new(tuning.clone(), Instant::now()));
        let retried = Retried { budget, metrics: Metrics::new(), tuning, within: Failing { attempts: AtomicU32::new(0), error } };
        let (call, method) = (CallBuilder::new(Clock::system()).build(), fixture::contract("orders", idempotency));
        let (request, deadline) = (Payload::Message(Bytes::new()), Some(Deadline::after(Duration::from_millis(left))));
        let method = Box::leak(Box::new(method));
        let began = Instant::now();
        retried.send(Outgoing { call: &call, method, request, deadline, attempt: Attempt::default() }).await.unwrap_err();
        (retried.within.attempts.into_inner(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_domain_is_asked_again_when_it_says_and_only_within_the_deadline() {
        let gone = || Error::new(MeshReason::UpstreamUnavailable, "");
        let full = || Error::new(MeshReason::Overloaded, "").with_retry_after(Duration::from_millis(300));
        assert_eq!(sent(Idempotency::Read, 1000, gone).await.0, 3);
        assert_eq!(sent(Idempotency::None, 1000, gone).await.0, 1, "nobody knows whether it was done");
        assert_eq!(sent(Idempotency::Natural, 1000, full).await, (3, Duration::from_millis(600)));
        assert_eq!(sent(Idempotency::Natural, 500, full).await, (2, Duration::from_millis(300)));
        assert_eq!(sent(Idempotency::None, 1000, full).await.0, 1);
        let limited = || Error::new(MeshReason::RateLimited, "").with_retry_after(Duration::from_millis(1));
        assert_eq!(sent(Idempotency::Read, 1000, limited).await.0, 1, "a limit of the contract is for the caller to heed");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_to_one_domain_share_a_budget() {
        let tuning = LiveTuning::default();
        let budget = Arc::new(RetryBudget::new(tuning.clone(), Instant::now()));
        let mut sent = 0;
        for _ in 0..3 {
            let error = || Error::new(MeshReason::Overloaded, "").with_retry_after(Duration::ZERO);
            let within = Failing { attempts: AtomicU32::new(0), error };
            let (budget, tuning) = (Arc::clone(&budget), tuning.clone());
            let retried = Retried { budget, metrics: Metrics::new(), tuning, within };
            let call = CallBuilder::new(Clock::system()).build();
            for _ in 0..100 {
                let (method, request) = (fixture::method("orders"), Payload::Message(Bytes::new()));
                let outgoing = Outgoing { call: &call, method, request, deadline: None, attempt: Attempt::default() };
                retried.send(outgoing).await.unwrap_err();
            }
            sent += retried.within.attempts.into_inner();
        }
        assert!((360..=370).contains(&sent), "300 calls, a fifth of it again, and ten to begin with: {sent}");
    }
}
