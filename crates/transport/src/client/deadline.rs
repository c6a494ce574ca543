//! When a call must have ended: the earlier of the caller's deadline and the contract's.
//!
//! It stands before the retries, so that all attempts and the pauses between them share one deadline.
//! Rule: with the time spent, nothing is sent. Each attempt is cut at the deadline where it waits for
//! its endpoint (see [`super::balance`]), so that a late answer counts against whoever is late.

use weft_call::{Call, Deadline, Error, MeshReason, MethodContract, Payload, Reply, Result};

use super::layer::{Layer, Outgoing};

/// Gives calls their deadline.
pub(super) struct Bounded<L>(pub(super) L);

impl<L: Layer> Layer for Bounded<L> {
    async fn send<'a>(&'a self, mut outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        outgoing.deadline = earlier(outgoing.call, outgoing.method);
        if outgoing.deadline.is_some_and(Deadline::is_spent) {
            return Err(spent(outgoing.method));
        }
        self.0.send(outgoing).await
    }
}

/// No time is left for a call of the method.
pub(super) fn spent(method: &MethodContract) -> Error {
    Error::new(MeshReason::DeadlineSpent, format!("no time was left for {}", method.path))
}

fn earlier(call: &Call, method: &MethodContract) -> Option<Deadline> {
    let own = method.deadline.map(Deadline::after);
    match (call.deadline(), own) {
        (Some(a), Some(b)) => Some(a.earlier(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use bytes::Bytes;
    use weft_call::{CallBuilder, Clock, Idempotency};

    use super::{super::layer::Attempt, *};
    use crate::fixture;

    /// Answers with the time left for the call, in milliseconds.
    struct TimeLeft;

    impl Layer for TimeLeft {
        async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
            let left =
                outgoing.deadline.map_or_else(|| "none".to_owned(), |deadline| deadline.remaining().as_millis().to_string());
            Ok(Payload::Message(Bytes::from(left)).into())
        }
    }

    async fn left(callers: Option<u64>, contracts: Option<u64>) -> Result<String> {
        let mut parts = CallBuilder::new(Clock::system());
        parts.deadline = callers.map(Duration::from_millis).map(Deadline::after);
        let mut method = fixture::contract("orders", Idempotency::Read);
        method.deadline = contracts.map(Duration::from_millis);
        let (call, request) = (parts.build(), Payload::Message(Bytes::new()));
        let outgoing =
            Outgoing { call: &call, method: Box::leak(Box::new(method)), request, deadline: None, attempt: Attempt::default() };
        match Bounded(TimeLeft).send(outgoing).await?.message {
            Payload::Message(left) => Ok(String::from_utf8(left.to_vec()).unwrap()),
            Payload::Stream(_) => unreachable!("a message was answered"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_deadline_holds_and_a_spent_one_sends_nothing() {
        assert_eq!(left(None, None).await.unwrap(), "none");
        assert_eq!(left(Some(300), None).await.unwrap(), "300");
        assert_eq!(left(Some(300), Some(200)).await.unwrap(), "200");
        assert_eq!(left(Some(100), Some(200)).await.unwrap(), "100");
        assert_eq!(left(Some(0), Some(200)).await.unwrap_err().reason(), Some(MeshReason::DeadlineSpent));
    }
}
