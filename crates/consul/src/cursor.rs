//! Where in the agent's history a blocking query stands.
//!
//! Rule: Consul's "Blocking Queries" (API documentation, "Implementation Details"): the index only
//! tells that something may have changed; when it goes backwards the history is another one, and the
//! next query starts over at 0; it is never taken as 0 itself, or the query would not block.
//!
//! An agent that lost its memory says that there is nothing, until everyone has told it again. So
//! for 30 seconds after an outage, or after the index went backwards, that there is nothing is not
//! believed.

use std::time::Duration;

use tokio::time::Instant;

/// How long a blocking query waits.
const WAIT: Duration = Duration::from_secs(30);
/// Longer than an instance takes to notice that the agent forgot it and to register again.
const GRACE: Duration = Duration::from_secs(30);
/// Consul takes a wait of 0 for its own default of minutes.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Where a query stands.
#[derive(Debug, Default)]
pub struct Cursor {
    index: u64,
    doubted_until: Option<Instant>,
}

impl Cursor {
    /// The index to ask with: 0 asks for an answer at once.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How long to wait for a change: not beyond the moment at which doubt ends.
    pub fn wait(&self, now: Instant) -> Duration {
        let doubt = self.doubted_until.map(|until| until.saturating_duration_since(now));
        doubt.filter(|left| !left.is_zero()).map_or(WAIT, |left| left.clamp(SHORTEST_WAIT, WAIT))
    }

    /// After an answer.
    pub fn answered(&mut self, index: u64, now: Instant) {
        if index < self.index {
            self.index = 0;
            self.doubted_until = Some(now + GRACE);
        } else {
            self.index = index.max(1);
        }
    }

    /// After a failure. The agent may come back with another history, in which a query at the old
    /// index would wait for nothing.
    pub fn failed(&mut self, now: Instant) {
        self.index = 0;
        self.doubted_until = Some(now + GRACE);
    }

    /// Whether an answer that holds nothing is to be believed.
    pub fn believes_in_nothing(&self, now: Instant) -> bool {
        self.doubted_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_goes_backwards_starts_over_and_doubts_that_there_is_nothing() {
        let now = Instant::now();
        let mut cursor = Cursor::default();
        assert_eq!((cursor.index(), cursor.wait(now)), (0, WAIT));
        cursor.answered(900, now);
        assert_eq!(cursor.index(), 900);
        assert!(cursor.believes_in_nothing(now));
        cursor.answered(12, now);
        assert_eq!(cursor.index(), 0);
        assert!(!cursor.believes_in_nothing(now));
        cursor.answered(12, now);
        assert_eq!(cursor.index(), 12);
        assert!(cursor.believes_in_nothing(now + GRACE));
    }

    #[test]
    fn an_index_of_zero_still_blocks_the_next_query() {
        let mut cursor = Cursor::default();
        cursor.answered(0, Instant::now());
        assert_eq!(cursor.index(), 1);
    }

    #[test]
    fn after_a_failure_the_query_asks_at_once_and_waits_no_longer_than_its_doubt() {
        let now = Instant::now();
        let mut cursor = Cursor::default();
        cursor.answered(900, now);
        cursor.failed(now);
        assert_eq!(cursor.index(), 0);
        let almost = now + GRACE - Duration::from_secs(3);
        assert_eq!(cursor.wait(almost), Duration::from_secs(3));
        assert!(!cursor.believes_in_nothing(almost));
        assert_eq!(cursor.wait(now + GRACE), WAIT);
    }
}
