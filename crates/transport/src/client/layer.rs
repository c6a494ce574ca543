//! What the layers of the client stack have in common.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use weft_call::{BoxFuture, Call, Deadline, MethodContract, Payload, Reply, Result, Upstream};

use super::{member::Member, retry::RetryBudget};

/// A call on its way out.
pub(super) struct Outgoing<'a> {
    pub(super) call: &'a Call,
    pub(super) method: &'static MethodContract,
    pub(super) request: Payload,
    /// When it must have ended; [`super::deadline`] sets it.
    pub(super) deadline: Option<Deadline>,
    /// How it is sent this time; [`super::retry`] sets it.
    pub(super) attempt: Attempt<'a>,
}

/// How a call is sent once: by default as one that is sent never again.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempt<'a> {
    /// It may be what an ejected endpoint is tried with.
    pub(super) probes: bool,
    /// The endpoints that were tried before.
    pub(super) tried: Option<&'a Tried>,
    /// When it is given up for another endpoint.
    pub(super) giving_up: Option<GivingUp<'a>>,
}

/// When an attempt is given up, if another endpoint could be asked instead.
#[derive(Clone, Copy)]
pub(super) struct GivingUp<'a> {
    /// How long it may stay unanswered.
    pub(super) patience: Duration,
    /// What pays for the next attempt.
    pub(super) budget: &'a RetryBudget,
}

/// The endpoints that one call was sent to already.
#[derive(Default)]
pub(super) struct Tried {
    members: Mutex<Vec<Arc<Member>>>,
    given_up: AtomicBool,
}

impl Tried {
    /// The call was sent there and failed.
    pub(super) fn add(&self, member: &Arc<Member>) {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(member));
    }

    /// True if the call was sent there.
    pub(super) fn has(&self, member: &Arc<Member>) -> bool {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|tried| Arc::ptr_eq(tried, member))
    }

    /// The attempt under way is given up, the next one paid for.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether the last attempt was given up; asked once after each.
    pub(super) fn was_given_up(&self) -> bool {
        self.given_up.swap(false, Ordering::Relaxed)
    }
}

/// One layer of the client stack. It does its part and asks the layer within it for the rest.
///
/// Layers are joined by their types, so that a call through all of them is one future and one box.
pub(super) trait Layer: Send + Sync + 'static {
    /// Sends the call.
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> impl Future<Output = Result<Reply<Payload>>> + Send + 'a;
}

/// The outermost layer as generated clients know it.
pub(super) struct Stack<L>(pub(super) L);

impl<L: Layer> Upstream for Stack<L> {
    fn call<'a>(
        &'a self,
        call: &'a Call,
        method: &'static MethodContract,
        request: Payload,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        Box::pin(self.0.send(Outgoing { call, method, request, deadline: None, attempt: Attempt::default() }))
    }
}
