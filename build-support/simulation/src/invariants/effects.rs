//! Nothing unsafe is sent twice, nothing keyed is done twice, and nothing succeeds for a caller that
//! no server has done.

use std::collections::BTreeMap;

use weft_call::Code;

use super::{Evidence, at};
use crate::ledger::Operation;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut arrivals = BTreeMap::<u64, Vec<usize>>::new();
    for attempt in &evidence.attempts {
        arrivals.entry(attempt.call).or_default().push(attempt.server);
    }
    let twice = arrivals.iter().filter(|(id, servers)| evidence.calls[id].operation == Operation::Append && servers.len() > 1);
    broken.extend(twice.map(|(id, servers)| format!("call {id} may not be repeated, and reached the servers {servers:?}")));
    let mut made = BTreeMap::new();
    for (time, key) in &evidence.effects {
        if let Some(first) = made.insert(key, *time) {
            broken.push(format!("the change of key {key} was made at {} and again at {}", at(first), at(*time)));
        }
    }
    // When each call was first answered well.
    let mut answered = BTreeMap::new();
    for attempt in &evidence.attempts {
        if let Some((time, Some(Code::Ok))) = attempt.ended {
            let first = answered.entry(attempt.call).or_insert(time);
            *first = time.min(*first);
        }
    }
    for (id, call) in evidence.calls.iter().filter(|(_, call)| call.has_succeeded()) {
        let ended = call.ended.map(|(ended, _)| ended).unwrap_or_default();
        if answered.get(id).is_none_or(|answered| *answered > ended) {
            broken.push(format!("call {id} succeeded at {}, and no server had answered it", at(ended)));
        }
        let is_made = |key| made.get(&key).is_some_and(|time| *time <= ended);
        if call.key.is_some_and(|key| !is_made(key)) {
            broken.push(format!("call {id} succeeded at {}, and its change was not made", at(ended)));
        }
    }
    broken
}
