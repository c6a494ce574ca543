//! What must hold, whatever breaks.

mod balance;
mod budget;
mod deadline;
mod effects;

use std::{collections::BTreeMap, time::Duration};

use weft_call::Code;

use crate::{
    history::{Entry, Event, Process},
    ledger::Operation,
    run::TICK,
    scenario::Scenario,
};

/// Times in a history are whole ticks, so that two of them differ by up to two ticks more than they
/// say; a timer ends with the next millisecond.
const TOLERANCE: Duration = TICK.saturating_mul(2);

/// One call, as its caller saw it.
#[derive(Debug)]
pub(crate) struct CallRecord {
    began: Duration,
    by: Process,
    operation: Operation,
    key: Option<u64>,
    budget: Duration,
    parent: Option<u64>,
    /// When and how it ended; by no code if the caller gave up.
    ended: Option<(Duration, Option<Code>)>,
}

/// One attempt, as a server saw it.
#[derive(Debug)]
pub(crate) struct AttemptRecord {
    id: u64,
    call: u64,
    server: usize,
    received: Duration,
    left: Option<Duration>,
    /// When and how the server was done with it; by no code if it was cut.
    ended: Option<(Duration, Option<Code>)>,
}

/// A history, sorted by what it tells of.
pub(crate) struct Evidence<'a> {
    scenario: &'a Scenario,
    pub(crate) calls: BTreeMap<u64, CallRecord>,
    /// In the order of their arrival.
    attempts: Vec<AttemptRecord>,
    /// When each change was made, and under which key.
    effects: Vec<(Duration, u64)>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(scenario: &'a Scenario, entries: &[Entry]) -> Self {
        let mut evidence = Self { scenario, calls: BTreeMap::new(), attempts: Vec::new(), effects: Vec::new() };
        let mut places = BTreeMap::new();
        for Entry { at, event } in entries {
            match *event {
                Event::Schedule(_) => {}
                Event::Began { call, by, operation, key, budget, parent } => {
                    let record = CallRecord { began: *at, by, operation, key, budget, parent, ended: None };
                    evidence.calls.insert(call, record);
                }
                Event::Ended { call, code } => {
                    if let Some(record) = evidence.calls.get_mut(&call) {
                        record.ended = Some((*at, code));
                    }
                }
                Event::Received { call, attempt, server, left } => {
                    places.insert(attempt, evidence.attempts.len());
                    let record = AttemptRecord { id: attempt, call, server, received: *at, left, ended: None };
                    evidence.attempts.push(record);
                }
                Event::Left { attempt, code } => {
                    if let Some(place) = places.get(&attempt) {
                        evidence.attempts[*place].ended = Some((*at, code));
                    }
                }
                Event::Effect { key, .. } => evidence.effects.push((*at, key)),
            }
        }
        evidence
    }

    /// Calls that failed for their callers.
    pub(crate) fn failed(&self) -> usize {
        self.calls.values().filter(|call| !call.has_succeeded()).count()
    }

    /// Attempts that reached a server beyond the first of their call.
    pub(crate) fn repeats(&self) -> usize {
        let reached: std::collections::BTreeSet<_> = self.attempts.iter().map(|attempt| attempt.call).collect();
        self.attempts.len() - reached.len()
    }
}

impl CallRecord {
    fn has_succeeded(&self) -> bool {
        matches!(self.ended, Some((_, Some(Code::Ok))))
    }
}

/// Everything that did not hold, in words.
pub(crate) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    [deadline::check, budget::check, effects::check, balance::check].into_iter().flat_map(|check| check(evidence)).collect()
}

/// A time of a history, for a message.
fn at(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
