//! Reads logs that a carrier keeps, each from the place that its consumer has passed.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream::SelectAll};
use weft_call::BoxFuture;

use crate::{CarrierError, Envelope, Source, Subscription, carrier::BATCH};

/// An entry of a log.
pub(crate) struct Entry {
    /// Its place, larger than all before it.
    pub(crate) place: i64,
    /// What should be an event.
    pub(crate) text: Bytes,
}

/// The entries of a log, some at a time.
pub(crate) type Entries = Pin<Box<dyn Stream<Item = Result<Vec<Entry>, CarrierError>> + Send>>;

/// Entries of the log with a number.
type Numbered = Pin<Box<dyn Stream<Item = (usize, Result<Vec<Entry>, CarrierError>)> + Send>>;

/// Reads the logs of a subscription.
pub(crate) struct Reader {
    carrier: &'static str,
    subscription: Subscription,
    logs: Vec<Log>,
    entries: SelectAll<Numbered>,
}

struct Log {
    name: String,
    /// The last place of the last answer, until that is acknowledged.
    answered: Option<i64>,
}

impl Reader {
    /// Reads these logs, whose names are what their positions are kept under.
    pub(crate) fn new(carrier: &'static str, subscription: Subscription, logs: Vec<(String, Entries)>) -> Self {
        let (mut names, mut entries) = (Vec::new(), SelectAll::new());
        for (index, (name, found)) in logs.into_iter().enumerate() {
            names.push(Log { name, answered: None });
            entries.push(Box::pin(found.map(move |found| (index, found))) as Numbered);
        }
        Self { carrier, subscription, logs: names, entries }
    }

    async fn next(&mut self, longest: Duration) -> Result<Vec<Envelope>, CarrierError> {
        let mut events = Vec::new();
        if self.logs.is_empty() {
            // Nobody publishes what is subscribed to.
            tokio::time::sleep(longest).await;
            return Ok(events);
        }
        let Ok(mut came) = tokio::time::timeout(longest, self.entries.next()).await else { return Ok(events) };
        loop {
            let (index, entries) = came.ok_or(CarrierError::Silent(self.carrier))?;
            for entry in entries? {
                events.extend(self.take(index, &entry));
            }
            if events.len() >= BATCH {
                return Ok(events);
            }
            // What has come already.
            let Some(next) = self.entries.next().now_or_never() else { return Ok(events) };
            came = next;
        }
    }

    /// The event of an entry, if it is subscribed to.
    fn take(&mut self, index: usize, entry: &Entry) -> Option<Envelope> {
        let log = &mut self.logs[index];
        log.answered = Some(entry.place);
        match Envelope::from_json(&entry.text) {
            Ok(event) => Some(event).filter(|event| self.subscription.wants(&event.topic)),
            Err(error) => {
                // Not ours, and it will never be: it must not stand in the way.
                tracing::error!(carrier = self.carrier, log = log.name, place = entry.place, %error, "no event of the mesh");
                None
            }
        }
    }

    async fn pass(&mut self) -> Result<(), CarrierError> {
        let passed: Vec<_> = self.logs.iter().filter_map(|log| Some((log.name.as_str(), log.answered?))).collect();
        if !passed.is_empty() {
            self.subscription.positions.set(&passed).await?;
            self.logs.iter_mut().for_each(|log| log.answered = None);
        }
        Ok(())
    }
}

impl Source for Reader {
    fn receive(&mut self, longest: Duration) -> BoxFuture<'_, Result<Vec<Envelope>, CarrierError>> {
        Box::pin(self.next(longest))
    }

    fn acknowledge(&mut self) -> BoxFuture<'_, Result<(), CarrierError>> {
        Box::pin(self.pass())
    }
}
