//! One alarm an outage, however many tasks notice it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::ConsulError;

/// What fails at this moment.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<BTreeSet<String>>);

impl Outage {
    /// The first failure is the alarm. A refusal is one of its own: the agent is there, and refuses
    /// just this.
    pub(super) fn failed(&self, task: &str, error: &ConsulError) {
        let mut failing = self.failing();
        let is_first = failing.is_empty();
        let is_new = failing.insert(task.to_owned());
        drop(failing);
        if is_first || is_new && matches!(error, ConsulError::Refused { .. }) {
            tracing::warn!(task, %error, "Consul does not answer: what was known last serves on");
        } else {
            tracing::debug!(task, %error, "Consul still does not answer");
        }
    }

    pub(super) fn succeeded(&self, task: &str) {
        let mut failing = self.failing();
        if failing.remove(task) && failing.is_empty() {
            tracing::info!("Consul answers again");
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.failing().is_empty()
    }

    fn failing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
