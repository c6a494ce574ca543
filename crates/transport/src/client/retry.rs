//! Which failed calls are sent again, and how many of them.
//!
//! Problem: a retry hides a lost connection, and a thousand retries finish a domain that is merely
//! slow. Rule: a call is sent again only if its contract says that a repeat does no harm (READ,
//! NATURAL, or KEYED with a key), only after UNAVAILABLE or when an endpoint did not answer within
//! its share of the time, only with time left, only a few times, and only while the callee's budget
//! lasts. A process that hangs refuses nothing: without shares of the time, one attempt would wait
//! for it until there is none left for another. The budget is one for all calls to a domain: each
//! first attempt pays in a share of a retry and a trickle comes by time, so that by default at most
//! one call in six of a storm is a repeat (the reasoning is that of Finagle's and tower's retry
//! budgets).
//! Recovery: with the budget spent, failures pass through at once until first attempts have paid
//! in again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use weft_call::{Call, Code, Error, Idempotency, MethodContract};

use crate::tuning::{LiveTuning, RetryTuning};

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
pub(super) fn may_repeat(method: &MethodContract, call: &Call) -> bool {
    match method.idempotency {
        Idempotency::Read | Idempotency::Natural => true,
        Idempotency::Keyed => call.idempotency_key().is_some(),
        Idempotency::None => false,
    }
}

/// How long the attempt `attempt` (1 is the first) may stay unanswered when another endpoint could be
/// asked: an even share of the time that is left for it and those that may follow.
pub(super) fn patience(left: Duration, attempt: u32, tuning: &RetryTuning) -> Duration {
    let attempts = tuning.attempts.saturating_add(2).saturating_sub(attempt);
    (left / attempts.max(1)).max(LEAST_PATIENCE)
}

/// How long to wait before the attempt `attempt` (1 is the first retry), if the failure is one that
/// may pass. The callee's own word goes before ours.
pub(super) fn pause(error: &Error, attempt: u32, tuning: &RetryTuning) -> Option<Duration> {
    if error.code() != Code::Unavailable {
        return None;
    }
    let ceiling = tuning.pause_limit.min(tuning.first_pause.saturating_mul(4_u32.saturating_pow(attempt - 1)));
    // Full jitter: those who failed together do not come back together.
    Some(error.retry_after().unwrap_or_else(|| ceiling.mul_f64(fastrand::f64())))
}

#[cfg(test)]
mod tests {
    use weft_call::{Access, Audit, CallBuilder, Clock, IdempotencyKey, MeshReason, MethodKind};

    use super::*;
    use crate::tuning::Tuning;

    fn method(idempotency: Idempotency) -> MethodContract {
        let access = Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };
        MethodContract {
            index: 0,
            domain: "orders",
            service: "weft.orders.v1.Orders",
            name: "CreateOrder",
            path: "/weft.orders.v1.Orders/CreateOrder",
            input: "",
            output: "",
            kind: MethodKind::Unary,
            access,
            system: None,
            deadline: None,
            idempotency,
            limits: &[],
            audit: Audit::None,
            http: &[],
        }
    }

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
            let method = method(idempotency);
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
        assert_eq!(patience(3 * second, 1, &tuning), second);
        assert_eq!(patience(2 * second, 2, &tuning), second);
        assert_eq!(patience(second / 100, 1, &tuning), LEAST_PATIENCE);
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
}
