//! What a domain does when something has happened elsewhere.

use std::sync::Arc;

use weft_call::{BoxFuture, Call, Error, Event, Result, TopicPattern};
use weft_events::{Envelope, Handle, Handler};
use weft_store::Tx;

/// Handles an event: `async fn payment_captured(&self, call: &Call, tx: &Tx, event: PaymentCaptured) -> Result<()>`
/// of the domain's handler.
///
/// It runs in the transaction that records the event as handled, so that its effects happen once. It
/// may run again on conflict, and cannot call other domains. The call is on the domain's own account
/// ([`weft_call::Principal::Job`]), bound to the event's tenant, in the trace and under the request id of
/// what caused the event.
pub trait EventFn<'a, H, E>: Send + Sync + 'static {
    /// Handles it.
    fn handle(&self, handler: &'a H, call: &'a Call, tx: &'a Tx, event: E) -> BoxFuture<'a, Result<()>>;
}

impl<'a, H, E, F, R> EventFn<'a, H, E> for F
where
    H: 'a,
    F: Fn(&'a H, &'a Call, &'a Tx, E) -> R + Send + Sync + 'static,
    R: Future<Output = Result<()>> + Send + 'a,
{
    fn handle(&self, handler: &'a H, call: &'a Call, tx: &'a Tx, event: E) -> BoxFuture<'a, Result<()>> {
        Box::pin(self(handler, call, tx, event))
    }
}

type Run<H> = Arc<dyn for<'a> Fn(&'a H, &'a Call, &'a Tx, &'a Envelope) -> BoxFuture<'a, Result<()>> + Send + Sync>;

/// What a domain subscribes to, before its handler is made.
pub(crate) struct Subscribed<H> {
    pub(crate) pattern: TopicPattern,
    run: Run<H>,
}

impl<H: Send + Sync + 'static> Subscribed<H> {
    /// To one type of event.
    pub(crate) fn to<E: Event>(handle: impl for<'a> EventFn<'a, H, E>) -> Self {
        let run: Run<H> = Arc::new(move |handler, call, tx, envelope| match envelope.message::<E>() {
            Ok(event) => handle.handle(handler, call, tx, event),
            Err(error) => Box::pin(async move { Err(Error::internal(error)) }),
        });
        Self { pattern: TopicPattern::of(E::EVENT), run }
    }

    /// To whatever matches a pattern.
    pub(crate) fn to_all(pattern: TopicPattern, handle: impl for<'a> EventFn<'a, H, Envelope>) -> Self {
        let run: Run<H> = Arc::new(move |handler, call, tx, envelope| handle.handle(handler, call, tx, envelope.clone()));
        Self { pattern, run }
    }

    pub(crate) fn ready(self, handler: &Arc<H>) -> Handler {
        let (handler, run) = (Arc::clone(handler), self.run);
        let handle: Handle = Arc::new(move |call, tx, event| {
            let (handler, run) = (Arc::clone(&handler), Arc::clone(&run));
            Box::pin(async move { run(&handler, call, tx, event).await })
        });
        Handler { pattern: self.pattern, handle }
    }
}
