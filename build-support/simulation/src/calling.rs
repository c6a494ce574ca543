//! One call over the real client stack, written down as its caller sees it.

use weft_call::{Call, Code, Deadline, Payload, Result, Upstream};

use crate::{
    history::{Event, History, Process},
    ledger::Operation,
    sabotage::believed,
    world::World,
};

/// Who calls what.
#[derive(Clone, Copy)]
pub(crate) struct Calling {
    pub(crate) by: Process,
    pub(crate) operation: Operation,
    /// The call in whose handler this one is made.
    pub(crate) parent: Option<u64>,
}

/// Ends in the history even if the caller gives up.
struct Ending<'a> {
    history: &'a History,
    call: u64,
    code: Option<Code>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.history.record(Event::Ended { call: self.call, code: self.code });
    }
}

impl Calling {
    /// Makes the call.
    pub(crate) async fn send(self, world: &World, upstream: &dyn Upstream, call: &Call) -> Result<()> {
        let Self { by, operation, parent } = self;
        let (id, history) = (world.history.fresh_id(), &world.history);
        // What the contract says, whatever a sabotaged caller believes.
        let contract = operation.method().deadline.map(Deadline::after);
        let deadline = contract.into_iter().chain(call.deadline()).min();
        let budget = deadline.map(Deadline::remaining).unwrap_or_default();
        let key = call.idempotency_key().filter(|_| operation == Operation::Pay).and_then(|key| key.as_str().parse().ok());
        history.record(Event::Began { call: id, by, operation, key, budget, parent });
        let mut ending = Ending { history, call: id, code: None };
        let message = Payload::Message(id.to_be_bytes().to_vec().into());
        let result = upstream.call(call, believed(operation, world.sabotage), message).await;
        ending.code = Some(result.as_ref().err().map_or(Code::Ok, weft_call::Error::code));
        result.map(drop)
    }
}
