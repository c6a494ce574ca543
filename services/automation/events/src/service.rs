//! The handler: records what happens, and gives it to who follows.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::stream;
use prost_types::{Any, Timestamp};
use weft_contracts_events::{self as contract, SubscribeRequest, SubscribeResponse};
use weft_mesh::{
    Call, Contract, Error, Reply, Result, Streaming,
    events::Envelope,
    store::{Store, Tx},
};

use crate::{
    seen,
    store::{self, Recorded},
    tail::Tail,
};

/// The events of the mesh.
#[derive(Debug)]
pub(crate) struct Events {
    store: Store,
    contracts: Vec<&'static Contract>,
    retention: Duration,
    tail: Arc<Tail>,
}

impl Events {
    pub(crate) fn new(store: Store, contracts: Vec<&'static Contract>, retention: Duration) -> Self {
        let tail = Arc::new(Tail::new(store.clone()));
        Self { store, contracts, retention, tail }
    }

    /// Records an event that somebody may see.
    pub(crate) async fn record(&self, call: &Call, tx: &Tx, event: Envelope) -> Result<()> {
        if seen::is_ever(&self.contracts, &event.topic) {
            store::record(tx, call, &event).await?;
        }
        Ok(())
    }

    /// Forgets what is older than the retention.
    pub(crate) async fn expire(&self, call: &Call) -> Result<()> {
        let retention = TimeDelta::from_std(self.retention).unwrap_or(TimeDelta::MAX);
        let before = call.now().checked_sub_signed(retention).unwrap_or_default();
        store::expire(&self.store, call, before).await
    }
}

impl contract::Events for Events {
    async fn subscribe(&self, call: &Call, request: SubscribeRequest) -> Result<Reply<Streaming<SubscribeResponse>>> {
        let topics = seen::topics(&self.contracts, call, &request.topics)?;
        let last = self.tail.look(call.clock()).await?;
        let place = request.after.unwrap_or(last);
        if !(0..=last).contains(&place) {
            return Err(Error::invalid_field("after", format!("it must be a place that was given, at most {last}")));
        }
        let (store, tail, call) = (self.store.clone(), Arc::clone(&self.tail), call.clone());
        let following = Following { store, tail, call, topics, place, ready: VecDeque::new() };
        let events: Streaming<SubscribeResponse> = Box::pin(stream::try_unfold(following, |mut following| async move {
            let event = following.next().await?;
            Ok(Some((event, following)))
        }));
        Ok(events.into())
    }
}

/// Somebody who follows.
struct Following {
    store: Store,
    tail: Arc<Tail>,
    call: Call,
    topics: BTreeSet<&'static str>,
    /// All before it was given or passed over.
    place: i64,
    ready: VecDeque<Recorded>,
}

impl Following {
    async fn next(&mut self) -> Result<SubscribeResponse> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return told(&event);
            }
            // What may never be seen is not waited for at the cost of the database.
            self.tail.wait_beyond(self.place, self.call.clock()).await?;
            let last = self.tail.look(self.call.clock()).await?;
            let (place, found) = store::after(&self.store, &self.call, self.place, &self.topics).await?;
            let is_all = place == self.place;
            // Places up to the last that were not among these belong to others.
            self.place = if is_all { last } else { place };
            self.ready.extend(found);
        }
    }
}

/// An event as who follows it is told.
fn told(event: &Recorded) -> Result<SubscribeResponse> {
    let envelope = Envelope::from_json(event.envelope.as_bytes()).map_err(Error::internal)?;
    Ok(SubscribeResponse {
        position: event.position,
        id: envelope.id.to_string(),
        topic: envelope.topic,
        key: envelope.key,
        source: envelope.source,
        time: Some(Timestamp {
            seconds: envelope.time.timestamp(),
            nanos: i32::try_from(envelope.time.timestamp_subsec_nanos()).unwrap_or_default(),
        }),
        request_id: envelope.request_id.to_string(),
        causation_id: envelope.causation.map(|id| id.to_string()).unwrap_or_default(),
        data: Some(Any { type_url: format!("type.googleapis.com/{}", envelope.message), value: envelope.data }),
    })
}
