//! How often it is said that a caller would be refused.
//!
//! Problem: while rules are only recorded, a caller that would be refused may call thousands of times a second, and a
//! log line for each would cost more than the call. Rule: each caller, method and rule is said at once, and then once a
//! minute, with how often it went unsaid; metrics count every call. Recovery: when more pairs come up than are
//! remembered, all are forgotten, and said anew.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use weft_call::MethodContract;

use super::{CallerRefusal, CallerRules};

/// How long the same is not said again.
const SILENCE: Duration = Duration::from_mins(1);
/// The pairs that are remembered.
const PAIRS: usize = 1024;

/// A caller, a method's path, and the rule that would refuse it.
type Pair = (Box<str>, &'static str, CallerRefusal);

/// What was said, when, and how often it was not since.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<HashMap<Pair, (Instant, u64)>>);

impl Notices {
    fn due(&self, pair: Pair, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= PAIRS && !said.contains_key(&pair) {
            said.clear();
        }
        let Some((at, unsaid)) = said.get_mut(&pair) else {
            said.insert(pair, (now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(*at) < SILENCE {
            *unsaid += 1;
            return None;
        }
        *at = now;
        Some(std::mem::take(unsaid))
    }
}

impl CallerRules {
    /// Whether it is time to say that the caller would be refused, and how often it went unsaid since the last time.
    pub fn notice(&self, method: &'static MethodContract, caller: &str, refusal: CallerRefusal, now: Instant) -> Option<u64> {
        self.notices.due((caller.into(), method.path, refusal), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(caller: &str) -> Pair {
        (caller.into(), "/weft.catalog.v1.Catalog/GetProduct", CallerRefusal::Contract)
    }

    #[test]
    fn the_same_is_said_once_a_minute_with_how_often_it_was_not() {
        let (notices, now) = (Notices::default(), Instant::now());
        assert_eq!(notices.due(pair("reports"), now), Some(0));
        for _ in 0..1000 {
            assert_eq!(notices.due(pair("reports"), now + SILENCE / 2), None);
        }
        assert_eq!(notices.due(pair("sweeper"), now + SILENCE / 2), Some(0), "another is said at once");
        assert_eq!(notices.due(pair("reports"), now + SILENCE), Some(1000));
        assert_eq!(notices.due(pair("reports"), now + SILENCE), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (notices, now) = (Notices::default(), Instant::now());
        for caller in 0..3 * PAIRS {
            assert_eq!(notices.due(pair(&caller.to_string()), now), Some(0));
        }
        let remembered = notices.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(remembered <= PAIRS, "{remembered}");
    }
}
