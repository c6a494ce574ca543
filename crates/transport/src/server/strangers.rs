//! How often it is said that a connection was refused.
//!
//! Problem: whoever reaches the port can open connections that prove nothing, as fast as the network bears, and a log line for
//! each would fill the disk of the log. Rule: one is said at once, and then one a second, with how many went unsaid before it.
//! Recovery: none is needed; the next one that is said tells of the others.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long no other is said.
const SILENCE: Duration = Duration::from_secs(1);

/// What was said of refused connections.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    unsaid: u64,
}

impl Strangers {
    /// Whether the connection that is refused now is said, and how many went unsaid before it.
    pub(super) fn refused(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.at.is_some_and(|at| now.saturating_duration_since(at) < SILENCE) {
            said.unsaid += 1;
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_said_with_how_many_were_not() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        assert_eq!(strangers.refused(start), Some(0));
        assert_eq!(strangers.refused(start + SILENCE / 2), None);
        assert_eq!(strangers.refused(start + SILENCE / 2), None);
        assert_eq!(strangers.refused(start + SILENCE), Some(2));
        assert_eq!(strangers.refused(start + 3 * SILENCE), Some(0));
    }
}
