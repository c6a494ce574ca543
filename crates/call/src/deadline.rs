//! When a call must have ended.

use std::time::Duration;

use tokio::time::Instant;

/// When a call must have ended, on this machine's monotonic clock. It travels as the time left
/// (`grpc-timeout`), so clocks of different machines are never compared. The clock is tokio's: where a
/// test pauses it, deadlines stand still too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// After `budget` from now.
    pub fn after(budget: Duration) -> Self {
        let now = Instant::now();
        // A budget beyond the clock's range is as good as a century.
        Self(now.checked_add(budget).unwrap_or_else(|| now + Duration::from_hours(876_000)))
    }

    /// The time left; zero if it is spent.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// True if no time is left.
    pub fn is_spent(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of the two.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }
}
