//! Traffic leaves an endpoint that is bad and returns to one that is healed, and once all is mended
//! every call succeeds.

use std::{collections::BTreeSet, time::Duration};

use super::{Evidence, at};
use crate::{
    history::Process,
    scenario::{Fault, LAST_CALL, Planned, RETURNED, RETURNING},
};

/// A bad endpoint is left within this time.
const LEFT: Duration = Duration::from_secs(2);
/// From then on it gets at most this share of what arrives: probes, and what a forgetful average tries.
const BAD_SHARE: f64 = 0.12;
/// So few arrivals say nothing of shares.
const FEW: f64 = 6.0;
/// From then on each caller sends each endpoint at least this many calls until the end; an even share is
/// ninety or more.
const AGAIN: usize = 9;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let bad = evidence.scenario.faults.iter().filter(|planned| {
        matches!(planned.fault, Fault::Failing { .. } | Fault::Full { .. } | Fault::Slow { .. } | Fault::Lagging { .. })
    });
    let mut broken: Vec<String> = bad.filter_map(|planned| leaves(evidence, planned)).collect();
    broken.extend(returns(evidence));
    let last = evidence.calls.iter().filter(|(_, call)| call.began >= RETURNED && call.parent.is_none());
    // Who has less time than an answer takes fails whatever the mesh does.
    let failed = last.filter(|(_, call)| !call.has_succeeded() && call.budget >= Duration::from_millis(500));
    broken.extend(failed.map(|(id, call)| {
        format!("call {id} ({:?}) of {} failed, long after all was mended: {:?}", call.operation, at(call.began), call.ended)
    }));
    broken
}

#[expect(clippy::cast_precision_loss, reason = "thousands of calls")]
fn leaves(evidence: &Evidence<'_>, planned: &Planned) -> Option<String> {
    let bad = planned.fault.server()?;
    let from = planned.from + LEFT;
    let meanwhile = |other: &&Planned| other.from <= planned.to && planned.from <= other.to + LEFT;
    let others = || evidence.scenario.faults.iter().filter(meanwhile).map(|other| other.fault);
    // While all fail, or too few others are known to work, there is nowhere else to go.
    let is_everywhere = others().any(|fault| matches!(fault, Fault::Outage | Fault::RegistryEmpty | Fault::RegistryLost));
    let broken: BTreeSet<_> = others().filter_map(Fault::server).chain([bad]).collect();
    if from >= planned.to || is_everywhere || broken.len() + 2 > evidence.scenario.servers() {
        return None;
    }
    let within = |time: Duration| from <= time && time < planned.to;
    let arrived: Vec<_> = evidence.attempts.iter().filter(|attempt| within(attempt.received)).collect();
    let there = arrived.iter().filter(|attempt| attempt.server == bad).count() as f64;
    // Of two random choices both may be bad, and one of them gets the call.
    let (bad_ones, all) = (broken.len() as f64, evidence.scenario.servers() as f64);
    let both_bad = bad_ones * (bad_ones - 1.0) / (all * (all - 1.0));
    let bound = FEW + (BAD_SHARE + both_bad) * arrived.len() as f64;
    (there > bound).then(|| {
        let what = planned.fault;
        format!("{there} of {} attempts reached server {bad} from {} to {} ({what:?})", arrived.len(), at(from), at(planned.to))
    })
}

/// Each caller uses each endpoint again. It counts what arrives over a while: the one that gave the
/// slowest answer is left aside for some seconds, and with few calls that is always some endpoint.
fn returns(evidence: &Evidence<'_>) -> Vec<String> {
    let within = |time: Duration| (RETURNING..LAST_CALL).contains(&time);
    let (servers, callers) = (evidence.scenario.servers(), evidence.scenario.callers());
    let mut arrivals = vec![vec![0_usize; servers]; callers];
    for attempt in evidence.attempts.iter().filter(|attempt| within(attempt.received)) {
        if let Process::Caller(caller) = evidence.calls[&attempt.call].by {
            arrivals[caller][attempt.server] += 1;
        }
    }
    let idle = arrivals.iter().enumerate().filter(|(_, counts)| counts.iter().any(|count| *count < AGAIN));
    idle.map(|(caller, counts)| format!("caller {caller} sent the servers {counts:?} calls after all was mended")).collect()
}
