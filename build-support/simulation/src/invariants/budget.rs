//! The retry budget is never exceeded: at no moment have more repeats of a process's calls reached
//! servers than its floor of retries a second and its share of the first attempts allow. Servers
//! count them, not the caller's own metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Evidence, at};
use crate::history::Process;

/// As the world tunes its stacks: what a process may repeat at once and each second, and for each call.
const FLOOR: f64 = 2.0;
const RATIO: f64 = 0.2;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut first_calls = BTreeMap::<Process, Vec<Duration>>::new();
    for call in evidence.calls.values() {
        first_calls.entry(call.by).or_default().push(call.began);
    }
    let (mut seen, mut repeats) = (BTreeSet::new(), BTreeMap::<Process, u32>::new());
    let mut broken = Vec::new();
    for attempt in &evidence.attempts {
        let by = evidence.calls[&attempt.call].by;
        if seen.insert(attempt.call) {
            continue;
        }
        let count = repeats.entry(by).or_default();
        *count += 1;
        let begun = &first_calls[&by];
        let calls = begun.partition_point(|began| *began <= attempt.received);
        // The process starts before its first call, by no more than the simulation's whole life.
        let life = attempt.received;
        #[expect(clippy::cast_precision_loss, reason = "thousands of calls")]
        let allowed = FLOOR + FLOOR * life.as_secs_f64() + RATIO * calls as f64;
        if f64::from(*count) > allowed + 1.0 {
            broken.push(format!("{by:?} has sent {count} repeats by {}, more than the {allowed:.1} of its budget", at(life)));
            return broken;
        }
    }
    broken
}
