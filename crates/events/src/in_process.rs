//! Events among domains of one process.
//!
//! Rule: sending ends when every subscription has acknowledged. Nothing is kept here: what was not
//! acknowledged stands in the log of its source, and is sent again after a crash. Of several replicas one relays
//! and handles all events, the others none: their works hold one lease ([`crate::Together`]).

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use weft_call::{BoxFuture, TopicPattern};

use crate::{Carrier, CarrierError, Envelope, Source, Subscription};

/// Events among domains of one process.
#[derive(Debug)]
pub struct InProcess {
    inlets: Vec<Inlet>,
}

/// One consumer's way in.
#[derive(Debug)]
struct Inlet {
    consumer: &'static str,
    patterns: Vec<TopicPattern>,
    sender: mpsc::Sender<Parcel>,
    receiver: Arc<Mutex<mpsc::Receiver<Parcel>>>,
}

/// Events, and whom to tell that they are taken.
#[derive(Debug)]
struct Parcel {
    events: Vec<Envelope>,
    taken: oneshot::Sender<()>,
}

impl InProcess {
    /// For these consumers and what they subscribe to. What is sent waits until each has come.
    pub fn new(consumers: impl IntoIterator<Item = (&'static str, Vec<TopicPattern>)>) -> Self {
        let inlet = |(consumer, patterns)| {
            let (sender, receiver) = mpsc::channel(1);
            Inlet { consumer, patterns, sender, receiver: Arc::new(Mutex::new(receiver)) }
        };
        Self { inlets: consumers.into_iter().map(inlet).collect() }
    }
}

impl Inlet {
    async fn deliver(&self, events: &[Envelope]) -> Result<(), CarrierError> {
        let wanted = events.iter().filter(|event| self.patterns.iter().any(|pattern| pattern.matches(&event.topic)));
        let events: Vec<_> = wanted.cloned().collect();
        if events.is_empty() {
            return Ok(());
        }
        let gone = || CarrierError::ConsumerGone(self.consumer);
        let (taken, waiting) = oneshot::channel();
        self.sender.send(Parcel { events, taken }).await.map_err(|_| gone())?;
        waiting.await.map_err(|_| gone())
    }
}

impl Carrier for InProcess {
    fn send<'a>(&'a self, _: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        Box::pin(async move { try_join_all(self.inlets.iter().map(|inlet| inlet.deliver(events))).await.map(drop) })
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        Box::pin(async move {
            let inlet = self.inlets.iter().find(|inlet| inlet.consumer == subscription.consumer);
            let inlet = inlet.ok_or(CarrierError::ConsumerGone(subscription.consumer))?;
            let receiver = Arc::clone(&inlet.receiver).lock_owned().await;
            Ok(Box::new(Outlet { receiver, taken: None }) as Box<dyn Source>)
        })
    }

    fn is_in_process(&self) -> bool {
        true
    }
}

struct Outlet {
    receiver: OwnedMutexGuard<mpsc::Receiver<Parcel>>,
    taken: Option<oneshot::Sender<()>>,
}

impl Source for Outlet {
    fn receive(&mut self, longest: Duration) -> BoxFuture<'_, Result<Vec<Envelope>, CarrierError>> {
        Box::pin(async move {
            let Ok(Some(parcel)) = tokio::time::timeout(longest, self.receiver.recv()).await else { return Ok(Vec::new()) };
            self.taken = Some(parcel.taken);
            Ok(parcel.events)
        })
    }

    fn acknowledge(&mut self) -> BoxFuture<'_, Result<(), CarrierError>> {
        // The sender may have given up waiting: then it sends again.
        if let Some(taken) = self.taken.take() {
            let _ = taken.send(());
        }
        Box::pin(async { Ok(()) })
    }
}
