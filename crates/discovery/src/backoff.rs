//! How long to wait before asking again.

use std::time::Duration;

/// Doubles from `first` to `most` with each failure. Each wait is drawn between its half and its
/// whole, so that a whole mesh does not come back at one moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The wait after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.most);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    pub(crate) fn succeeded(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_start_over_after_a_success() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, most);
        for whole in [1, 2, 4, 5, 5].map(Duration::from_secs) {
            let wait = backoff.failed();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.succeeded();
        assert!(backoff.failed() <= first);
    }
}
