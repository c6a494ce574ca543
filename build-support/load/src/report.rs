//! What came of a run: counts and latencies by step, and whether every order is there once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{error::LoadError, scenario::Step};

/// Failures that are shown in full; more of them say the same.
const SHOWN: usize = 5;

#[derive(Default)]
pub(crate) struct Report(Mutex<Found>);

#[derive(Default)]
struct Found {
    steps: BTreeMap<Step, Tally>,
    answered_keys: HashSet<String>,
    failures: Vec<String>,
}

#[derive(Default)]
struct Tally {
    failed: usize,
    repeats: u64,
    latencies: Vec<Duration>,
}

impl Report {
    /// Takes down one step that has ended, when in the run it began, and the key of an order that was answered.
    pub(crate) fn record(
        &self,
        step: Step,
        began: Duration,
        took: Duration,
        repeats: Result<u32, LoadError>,
        key: Option<String>,
    ) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.answered_keys.extend(key);
        let tally = found.steps.entry(step).or_default();
        match repeats {
            Ok(repeats) => {
                tally.repeats += u64::from(repeats);
                tally.latencies.push(took);
            }
            Err(error) => {
                tally.failed += 1;
                found.failures.push(format!("at {:.1} s: {error}", began.as_secs_f64()));
            }
        }
    }

    /// The table of the run.
    pub(crate) fn table(&self) -> String {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = "step       answered  failed  repeats    p50 ms    p99 ms    max ms\n".to_owned();
        for (step, tally) in &mut found.steps {
            tally.latencies.sort_unstable();
            let at = |share| quantile(&tally.latencies, share).as_secs_f64() * 1000.0;
            let (step, answered) = (format!("{step:?}"), tally.latencies.len());
            let _ = writeln!(
                table,
                "{step:<10} {answered:>8} {:>7} {:>8} {:>9.1} {:>9.1} {:>9.1}",
                tally.failed,
                tally.repeats,
                at(50),
                at(99),
                at(100),
            );
        }
        for failure in found.failures.iter().take(SHOWN) {
            let _ = writeln!(table, "failed: {failure}");
        }
        table
    }

    /// Holds the orders that are there, by key, against those that were answered, prints the counts, and gives true if
    /// nothing failed, nothing is missing and nothing is doubled.
    pub(crate) fn verdict(&self, listed: &HashMap<String, u32>) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = found.answered_keys.iter().filter(|key| !listed.contains_key(*key)).count();
        let doubled = listed.values().filter(|count| **count > 1).count();
        let failed: usize = found.steps.values().map(|tally| tally.failed).sum();
        println!(
            "{} keys answered, {} orders, {missing} missing, {doubled} doubled, {failed} steps failed",
            found.answered_keys.len(),
            listed.values().sum::<u32>(),
        );
        missing + doubled + failed == 0
    }
}

/// The value that `share` of a hundred of the sorted values do not pass.
fn quantile(sorted: &[Duration], share: usize) -> Duration {
    let place = (sorted.len() * share).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!([50, 99, 100].map(|share| quantile(&sorted, share).as_millis()), [100, 198, 200]);
        assert_eq!(quantile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn a_missing_a_doubled_and_a_failed_one_are_each_told() {
        let run = |listed: &[(&str, u32)], failed: bool| {
            let report = Report::default();
            report.record(Step::Order, Duration::ZERO, Duration::ZERO, Ok(0), Some("a".to_owned()));
            if failed {
                let error = LoadError::Incomplete { request: String::new(), field: "id" };
                report.record(Step::Browse, Duration::ZERO, Duration::ZERO, Err(error), None);
            }
            report.verdict(&listed.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect())
        };
        assert!(run(&[("a", 1)], false));
        // An order whose answer never came may be there.
        assert!(run(&[("a", 1), ("b", 1)], false));
        assert!(!run(&[("b", 1)], false));
        assert!(!run(&[("a", 2)], false));
        assert!(!run(&[("a", 1)], true));
    }
}
