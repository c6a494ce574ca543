//! What brings events from the process that relays them to those that handle them.
//!
//! Rule: a carrier keeps the order in which a source sends, and forgets nothing that it has taken
//! until every subscription has acknowledged it. It may bring an event more than once.

use std::{fmt::Debug, time::Duration};

use weft_call::{BoxFuture, TopicPattern};

use crate::Envelope;

/// A way for events between processes.
pub trait Carrier: Debug + Send + Sync + 'static {
    /// Sends events of one source, in their order. When it returns, the carrier has them all: a crash of
    /// this process loses none.
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>>;

    /// Goes on with a subscription where its last acknowledgement was.
    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>>;
}

/// Who subscribes to what.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The domain that subscribes: all its processes share the subscription.
    pub consumer: &'static str,
    /// What it subscribes to.
    pub patterns: Vec<TopicPattern>,
    /// The domains whose events these may be.
    pub sources: Vec<String>,
    /// Grows each time that another process takes the subscription over.
    pub fence: i64,
}

impl Subscription {
    /// True for topics that are subscribed to.
    pub fn wants(&self, topic: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(topic))
    }
}

/// Where the events of a subscription come from.
pub trait Source: Send {
    /// The next events, in the order of each source; none if none came for so long. Those of the last
    /// answer must be acknowledged first.
    fn receive(&mut self, longest: Duration) -> BoxFuture<'_, Result<Vec<Envelope>, CarrierError>>;

    /// Acknowledges the last answer: its events need not come again.
    fn acknowledge(&mut self) -> BoxFuture<'_, Result<(), CarrierError>>;
}

/// Why events do not travel at this moment.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// A consumer ended before it had acknowledged.
    #[error("the consumer {0} ended before it had taken its events")]
    ConsumerGone(&'static str),
    /// The address of the Redis server cannot be read. It is not repeated: it may hold a password.
    #[error("`redis.url` is no address of a Redis server")]
    RedisAddress,
    /// The Redis server does not answer, or refuses.
    #[error("Redis does not take or give events")]
    Redis(#[source] redis::RedisError),
}
