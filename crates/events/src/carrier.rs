//! What brings events from the process that relays them to those that handle them.
//!
//! Rule: a carrier keeps the order in which a source sends, and forgets nothing that it has taken
//! until every subscription has acknowledged it. It may bring an event more than once.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use weft_call::{BoxFuture, Error, TopicPattern};

use crate::{Envelope, Kafka, Nats, Positions, RabbitMq, Redis};

/// Entries that a log of a carrier keeps, about.
pub(crate) const KEPT: usize = 1_000_000;
/// Entries that are taken from a carrier at once.
pub(crate) const BATCH: usize = 128;
/// How long a carrier may take to answer.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// What an event is to clients that know CloudEvents.
pub(crate) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// A way for events between processes.
pub trait Carrier: Debug + Send + Sync + 'static {
    /// Sends events of one source, in their order. When it returns, the carrier has them all: a crash of
    /// this process loses none.
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>>;

    /// Goes on with a subscription where its last acknowledgement was.
    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>>;

    /// True if events do not leave this process: whoever relays them must also handle them, see [`crate::Together`].
    fn is_in_process(&self) -> bool {
        false
    }
}

/// The carrier at an address, by its scheme: `redis`, `rediss`, `nats`, `tls` (NATS), `amqp`, `amqps`, `kafka` or `kafkas`.
///
/// `namespace` begins every name there, so that several meshes can share NATS, RabbitMQ or Kafka; in Redis they take databases
/// of their own. `consumers` are all that there are, here or elsewhere, and what they subscribe to: what is sent before one
/// has ever run is kept for it.
pub fn connect(
    address: &SecretString,
    namespace: &str,
    consumers: impl IntoIterator<Item = (&'static str, Vec<TopicPattern>)>,
) -> Result<Arc<dyn Carrier>, CarrierError> {
    connect_trusted_by(address, None, namespace, consumers)
}

/// The same, where a Redis at a `rediss://` address must be certified by an authority of the file `redis_ca` (PEM), if there
/// is one, and not by one of the system's.
pub fn connect_trusted_by(
    address: &SecretString,
    redis_ca: Option<&Path>,
    namespace: &str,
    consumers: impl IntoIterator<Item = (&'static str, Vec<TopicPattern>)>,
) -> Result<Arc<dyn Carrier>, CarrierError> {
    match address.expose_secret().split_once("://").map(|(scheme, _)| scheme) {
        Some("redis") => Ok(Arc::new(Redis::new(address)?)),
        Some("rediss") => Ok(Arc::new(Redis::trusted_by(address, redis_ca)?)),
        Some("nats" | "tls") => Ok(Arc::new(Nats::new(address, namespace)?)),
        Some("amqp" | "amqps") => Ok(Arc::new(RabbitMq::new(address, namespace, consumers)?)),
        Some("kafka" | "kafkas") => Ok(Arc::new(Kafka::new(address, namespace)?)),
        _ => Err(CarrierError::Address),
    }
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
    /// How far it has come, for carriers that do not remember that themselves.
    pub positions: Positions,
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
    /// Another process handles events now.
    #[error("another process has taken over")]
    TakenOver,
    /// How far the consumer has come cannot be read or written.
    #[error("the consumer's position cannot be read or written")]
    Positions(#[source] Error),
    /// The address of the carrier cannot be read. It is not repeated: it may hold a password.
    #[error(
        "`events.url`, or `redis.url` without it, is no address of a carrier, such as redis://host:6379, nats://host:4222, \
         amqp://host:5672 or kafka://host:9092"
    )]
    Address,
    /// The authorities that Redis is to be trusted by cannot be read.
    #[error("redis.ca: {} holds no certificates that can be read (PEM)", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
    },
    /// The carrier does not answer.
    #[error("{0} does not answer")]
    Silent(&'static str),
    /// Events are missing between the last that came and the next.
    #[error("events of {0} are missing: they are asked for again")]
    Gap(String),
    /// The Redis server does not answer, or refuses.
    #[error("Redis does not take or give events")]
    Redis(#[source] redis::RedisError),
    /// The NATS server does not answer, or refuses.
    #[error("NATS does not take or give events")]
    Nats(#[source] async_nats::Error),
    /// The RabbitMQ server does not answer, or refuses.
    #[error("RabbitMQ does not take or give events")]
    RabbitMq(#[source] lapin::Error),
    /// The RabbitMQ server could not keep an event.
    #[error("RabbitMQ does not confirm an event")]
    RabbitMqUnconfirmed,
    /// The Kafka servers do not answer, or refuse.
    #[error("Kafka does not take or give events")]
    Kafka(#[source] rskafka::client::error::Error),
}

/// An answer within [`ANSWER_LIMIT`], or the carrier is silent.
pub(crate) async fn in_time<T>(carrier: &'static str, answer: impl Future<Output = T>) -> Result<T, CarrierError> {
    tokio::time::timeout(ANSWER_LIMIT, answer).await.map_err(|_| CarrierError::Silent(carrier))
}
