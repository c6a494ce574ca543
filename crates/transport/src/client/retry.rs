//! Which failed calls are sent again, and how many of them.
//!
//! Problem: a retry hides a lost connection, and a thousand retries finish a domain that is merely
//! slow. Rule: a call is sent again only if its contract says that a repeat does no harm (READ,
//! NATURAL, or KEYED with a key), only after UNAVAILABLE, only with time left, at most twice, and
//! only while the callee's budget lasts. The budget is one for all calls to a domain: each first
//! attempt pays in a fifth of a retry and a trickle comes by time, so that in a storm at most one
//! call in six is a repeat (the reasoning is that of Finagle's and tower's retry budgets).
//! Recovery: with the budget spent, failures pass through at once until first attempts have paid
//! in again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use weft_call::{Call, Code, Error, Idempotency, MethodContract};

/// How often a call is sent again at most.
pub(super) const ATTEMPTS: u32 = 2;

/// What a retry takes out of the budget, and what a first attempt pays in.
const PRICE: u32 = 5;
const DEPOSIT: u32 = 1;
/// The budget of an idle client: enough to ride out a restart, spent in a moment by a storm.
const TRICKLE_PER_SECOND: u32 = 10 * PRICE;
const LIMIT: u32 = 100 * PRICE;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const PAUSE_LIMIT: Duration = Duration::from_millis(500);

/// The retries that the calls to one domain may still make.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<Balance>);

#[derive(Debug)]
struct Balance {
    tokens: u32,
    counted: Instant,
}

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Balance { tokens: TRICKLE_PER_SECOND, counted: Instant::now() }))
    }

    /// A first attempt is made.
    pub(super) fn deposit(&self) {
        self.with(|balance| balance.tokens = (balance.tokens + DEPOSIT).min(LIMIT));
    }

    /// Takes out a retry; false if there is none.
    pub(super) fn withdraw(&self) -> bool {
        self.with(|balance| match balance.tokens.checked_sub(PRICE) {
            Some(left) => {
                balance.tokens = left;
                true
            }
            None => false,
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Balance) -> T) -> T {
        let mut balance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whole tokens only: what is left of the time counts the next time.
        let millis = balance.counted.elapsed().as_millis();
        let trickled = millis * u128::from(TRICKLE_PER_SECOND) / 1000;
        if trickled > 0 {
            balance.counted = Instant::now();
            balance.tokens =
                balance.tokens.saturating_add(u32::try_from(trickled).unwrap_or(LIMIT)).min(LIMIT.max(balance.tokens));
        }
        change(&mut balance)
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

/// How long to wait before the attempt `attempt` (1 is the first retry), if the failure is one that
/// may pass. The callee's own word goes before ours.
pub(super) fn pause(error: &Error, attempt: u32) -> Option<Duration> {
    if error.code() != Code::Unavailable {
        return None;
    }
    let ceiling = PAUSE_LIMIT.min(FIRST_PAUSE * 4_u32.saturating_pow(attempt - 1));
    // Full jitter: those who failed together do not come back together.
    let jittered = FIRST_PAUSE.max(ceiling.mul_f64(fastrand::f64()));
    Some(error.retry_after().unwrap_or(jittered))
}

#[cfg(test)]
mod tests {
    use weft_call::{Access, Audit, CallBuilder, Clock, IdempotencyKey, MeshReason, MethodKind};

    use super::*;

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
        let budget = RetryBudget::new();
        let mut retries = 0;
        let started = Instant::now();
        for _ in 0..60_000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
        }
        let trickled = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX) * TRICKLE_PER_SECOND / 1000 / PRICE;
        let most = 60_000 * DEPOSIT / PRICE + TRICKLE_PER_SECOND / PRICE + trickled + 1;
        assert!(retries <= most, "{retries} of at most {most}");
        assert!(retries > 10_000, "{retries}");
    }

    #[test]
    fn only_unavailable_is_waited_out_and_pushback_is_honoured() {
        assert_eq!(pause(&Error::new(MeshReason::DeadlineSpent, ""), 1), None);
        assert_eq!(pause(&Error::new(MeshReason::Internal, ""), 1), None);
        let gone = Error::new(MeshReason::UpstreamUnavailable, "");
        assert!(pause(&gone, 1).is_some_and(|pause| pause == FIRST_PAUSE));
        assert!(pause(&gone, 9).is_some_and(|pause| (FIRST_PAUSE..=PAUSE_LIMIT).contains(&pause)));
        assert_eq!(pause(&gone.with_retry_after(Duration::from_secs(3)), 1), Some(Duration::from_secs(3)));
    }
}
