//! Switches that break a guarantee on purpose: each must be caught, or the check that should catch it
//! proves nothing.

use std::time::Duration;

use weft_call::{Idempotency, MethodContract};
use weft_transport::Tuning;

use crate::ledger::{Operation, method};

/// A guarantee that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Sabotage {
    /// Callers take NONE for NATURAL, and so send it again.
    RepeatUnsafe,
    /// The retry budget has no bottom, and a call is sent again as often as its time allows.
    BottomlessBudget,
    /// Callers know of no deadline.
    NoDeadline,
    /// A handler calls on with a call of its own instead of the one that it got.
    DeadlineNotPropagated,
    /// A handler works on after its deadline.
    WorkOutlivesDeadline,
    /// Servers do not look at idempotency keys.
    KeysIgnored,
    /// Servers answer before they make the change.
    EarlyAnswer,
    /// Callers take turns among the endpoints, whatever becomes of the calls.
    BlindBalancing,
    /// An endpoint that was ejected stays so.
    EjectedForGood,
    /// Clocks differ by more than assertions bear.
    WildClocks,
}

impl Sabotage {
    /// Every one of them.
    pub const ALL: [Self; 10] = [
        Self::RepeatUnsafe,
        Self::BottomlessBudget,
        Self::NoDeadline,
        Self::DeadlineNotPropagated,
        Self::WorkOutlivesDeadline,
        Self::KeysIgnored,
        Self::EarlyAnswer,
        Self::BlindBalancing,
        Self::EjectedForGood,
        Self::WildClocks,
    ];

    /// Changes how both stacks are tuned.
    pub(crate) fn tune(self, tuning: &mut Tuning) {
        match self {
            Self::BottomlessBudget => {
                tuning.retry.budget_floor = 10_000;
                tuning.retry.attempts = 10;
            }
            Self::EjectedForGood => {
                tuning.breaker.ejection = Duration::from_hours(1);
                tuning.breaker.ejection_limit = Duration::from_hours(1);
            }
            _ => {}
        }
    }
}

/// The method as callers under this sabotage take it to be.
pub(crate) fn believed(operation: Operation, sabotage: Option<Sabotage>) -> &'static MethodContract {
    static UNSAFE: MethodContract = method(Operation::Append as usize, Some(Duration::from_secs(1)), Idempotency::Natural);
    static ENDLESS: [MethodContract; 5] = [
        method(0, None, Idempotency::Read),
        method(1, None, Idempotency::Natural),
        method(2, None, Idempotency::Keyed),
        method(3, None, Idempotency::None),
        method(4, None, Idempotency::Read),
    ];
    match (sabotage, operation) {
        (Some(Sabotage::RepeatUnsafe), Operation::Append) => &UNSAFE,
        (Some(Sabotage::NoDeadline), _) => &ENDLESS[operation as usize],
        _ => operation.method(),
    }
}
