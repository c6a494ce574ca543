//! No call outlives its deadline, at either end: it ends for its caller by then, what travels on the
//! wire never gives more time than there is, a server's work ends by then, and a call that a handler
//! makes has no more time than the handler. Clocks that differ change nothing of it.

use std::collections::BTreeMap;

use weft_call::Code;

use super::{Evidence, TOLERANCE, at};

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, call) in &evidence.calls {
        let due = call.began + call.budget + TOLERANCE;
        match call.ended {
            None => broken.push(format!("call {id}, begun at {}, never ended", at(call.began))),
            Some((ended, _)) if ended > due => {
                let operation = call.operation;
                broken.push(format!("call {id} ({operation:?}) ended at {}, after its deadline {}", at(ended), at(due)));
            }
            Some((ended, Some(Code::Unauthenticated))) => {
                broken.push(format!("call {id} was refused at {} for the difference of two clocks", at(ended)));
            }
            Some(_) => {}
        }
    }
    // When the handlers of each call must be done.
    let mut handlers = BTreeMap::new();
    for attempt in &evidence.attempts {
        let (id, call) = (attempt.call, &evidence.calls[&attempt.call]);
        let Some(left) = attempt.left else {
            broken.push(format!("call {id} reached server {} without a deadline", attempt.server));
            continue;
        };
        if left > call.budget {
            broken.push(format!("call {id} has {:?}, and reached server {} with {left:?}", call.budget, attempt.server));
        }
        let due = attempt.received + left + TOLERANCE;
        let latest = handlers.entry(id).or_insert(due);
        *latest = due.max(*latest);
        if attempt.ended.is_some_and(|(ended, _)| ended > due) {
            let server = attempt.server;
            broken.push(format!("server {server} still worked on call {id} after {}, its deadline there", at(due)));
        }
        if attempt.ended.is_none() {
            broken.push(format!("server {} never let go of attempt {} of call {id}", attempt.server, attempt.id));
        }
    }
    let onward = evidence.calls.iter().filter_map(|(id, call)| Some((id, call, handlers.get(&call.parent?)?)));
    let longer = onward.filter(|(_, call, due)| call.began + call.budget > **due);
    broken.extend(longer.map(|(id, call, due)| {
        format!("call {id} was made with {:?} to go in a handler that ended by {}", call.budget, at(*due))
    }));
    broken
}
