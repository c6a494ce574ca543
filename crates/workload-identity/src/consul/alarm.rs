//! One alarm an outage, however many tasks notice it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::IdentityError;

/// What fails at this moment.
#[derive(Debug, Default)]
pub(super) struct Alarm(Mutex<BTreeSet<String>>);

impl Alarm {
    pub(super) fn raise(&self, task: &str, error: &IdentityError) {
        let mut failing = self.failing();
        let is_first = failing.is_empty();
        failing.insert(task.to_owned());
        drop(failing);
        if is_first {
            tracing::warn!(task, %error, "certificates cannot be renewed: those held serve on");
        } else {
            tracing::debug!(task, %error, "certificates still cannot be renewed");
        }
    }

    pub(super) fn clear(&self, task: &str) {
        let mut failing = self.failing();
        if failing.remove(task) && failing.is_empty() {
            tracing::info!("certificates can be renewed again");
        }
    }

    pub(super) fn is_raised(&self) -> bool {
        !self.failing().is_empty()
    }

    fn failing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
