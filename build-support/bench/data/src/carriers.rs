//! The carriers, and what their own clients reach with the acknowledgements that the relay asks for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context;
use async_nats::jetstream;
use futures_util::future::try_join_all;
use lapin::{
    BasicProperties, Channel, ConnectionProperties, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use rskafka::{
    client::{
        ClientBuilder,
        partition::{Compression, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use weft_call::TopicPattern;
use weft_events::{Carrier, InProcess};
use weft_test_carriers::Kind;

use crate::arguments::Part;

/// Texts that are sent before their acknowledgements are awaited, as the relay does.
pub(crate) const BATCH: usize = 256;

const TOPIC: &str = "events.item.sold";

/// What carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    InProcess,
    Redis,
    Nats,
    RabbitMq,
    Kafka,
}

impl By {
    pub(crate) const BETWEEN_PROCESSES: [Self; 4] = [Self::Redis, Self::Nats, Self::RabbitMq, Self::Kafka];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in process",
            Self::Redis => "Redis Streams",
            Self::Nats => "NATS JetStream",
            Self::RabbitMq => "RabbitMQ",
            Self::Kafka => "Kafka",
        }
    }
}

/// The servers, which end with this.
pub(crate) struct Servers {
    redis: Option<weft_test_redis::Server>,
    /// Databases of Redis that are in use: it has no namespaces.
    taken: AtomicUsize,
}

impl Servers {
    /// Redis, if the parts need it; the others are started when they are first asked for.
    pub(crate) fn start(parts: &[Part]) -> anyhow::Result<Self> {
        let needed = parts.iter().any(|part| matches!(part, Part::Relay | Part::Latency));
        let start = || tokio::task::block_in_place(weft_test_redis::Server::durable);
        Ok(Self { redis: needed.then(start).transpose()?, taken: AtomicUsize::new(0) })
    }

    fn address(&self, by: By) -> anyhow::Result<Option<String>> {
        let shared = |kind| tokio::task::block_in_place(|| weft_test_carriers::address(kind));
        Ok(match by {
            By::InProcess => None,
            By::Redis => {
                let server = self.redis.as_ref().context("Redis was not started")?;
                Some(format!("{}/{}", server.address(), self.taken.fetch_add(1, Ordering::SeqCst)))
            }
            By::Nats => Some(shared(Kind::Nats)?),
            By::RabbitMq => Some(shared(Kind::RabbitMq)?),
            By::Kafka => Some(shared(Kind::Kafka)?),
        })
    }

    /// The carrier, under a namespace of its own.
    pub(crate) fn carrier(&self, by: By, namespace: &str) -> anyhow::Result<Arc<dyn Carrier>> {
        let consumers = [("mail", vec![TopicPattern::parse("events.item.*")?])];
        Ok(match self.address(by)? {
            None => Arc::new(InProcess::new(consumers)),
            Some(address) => weft_events::connect(&address.into(), namespace, consumers)?,
        })
    }

    /// The carrier's own client.
    pub(crate) async fn client(&self, by: By, namespace: &str) -> anyhow::Result<Client> {
        let address = self.address(by)?.context("there is no client of what is in process")?;
        match by {
            By::InProcess | By::Redis => Client::redis(&address).await,
            By::Nats => Client::nats(&address, namespace).await,
            By::RabbitMq => Client::rabbitmq(&address, namespace).await,
            By::Kafka => Client::kafka(&address, namespace).await,
        }
    }
}

/// A carrier's own client, with what it sends to.
pub(crate) enum Client {
    Redis { connection: redis::aio::MultiplexedConnection, stream: String },
    Nats { context: jetstream::Context, subject: String },
    RabbitMq { _connection: lapin::Connection, channel: Channel, exchange: String },
    Kafka { partition: PartitionClient },
}

impl Client {
    async fn redis(address: &str) -> anyhow::Result<Self> {
        let connection = redis::Client::open(address)?.get_multiplexed_async_connection().await?;
        Ok(Self::Redis { connection, stream: "bench:events".to_owned() })
    }

    async fn nats(address: &str, namespace: &str) -> anyhow::Result<Self> {
        let context = jetstream::new(async_nats::connect(address).await?);
        let (name, subjects) = (format!("{namespace}-own"), vec![format!("{namespace}.own.>")]);
        let config = jetstream::stream::Config { name, subjects, max_messages: 1_000_000, ..Default::default() };
        context.get_or_create_stream(config).await?;
        Ok(Self::Nats { context, subject: format!("{namespace}.own.{TOPIC}") })
    }

    async fn rabbitmq(address: &str, namespace: &str) -> anyhow::Result<Self> {
        let connection = lapin::Connection::connect(address, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (exchange, queue) = (format!("{namespace}.own"), format!("{namespace}.own"));
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(exchange.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await?;
        let (binding, options) = ("events.item.#".into(), QueueBindOptions::default());
        channel.queue_bind(queue.as_str().into(), exchange.as_str().into(), binding, options, FieldTable::default()).await?;
        Ok(Self::RabbitMq { _connection: connection, channel, exchange })
    }

    async fn kafka(address: &str, namespace: &str) -> anyhow::Result<Self> {
        let client = ClientBuilder::new(vec![address.replacen("kafka://", "", 1)]).build().await?;
        let topic = format!("{namespace}.own");
        client.controller_client()?.create_topic(&topic, 1, -1, 5000).await?;
        Ok(Self::Kafka { partition: client.partition_client(topic, 0, UnknownTopicHandling::Retry).await? })
    }

    /// Sends texts, a batch after the other, each acknowledged before the next.
    pub(crate) async fn send(&self, texts: &[String]) -> anyhow::Result<()> {
        for batch in texts.chunks(BATCH) {
            self.send_batch(batch).await?;
        }
        Ok(())
    }

    async fn send_batch(&self, texts: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Redis { connection, stream } => {
                let mut pipeline = redis::pipe();
                pipeline.atomic();
                for text in texts {
                    let kept = redis::streams::StreamMaxlen::Approx(1_000_000);
                    pipeline.xadd_maxlen(stream, kept, "*", &[("topic", TOPIC), ("event", text)]).ignore();
                    pipeline.publish(TOPIC, text).ignore();
                }
                pipeline.query_async::<()>(&mut connection.clone()).await?;
            }
            Self::Nats { context, subject } => {
                let mut acknowledgements = Vec::with_capacity(texts.len());
                for text in texts {
                    acknowledgements.push(context.publish(subject.clone(), text.clone().into()).await?);
                }
                for acknowledgement in acknowledgements {
                    acknowledgement.await?;
                }
            }
            Self::RabbitMq { channel, exchange, .. } => {
                let (mut confirmations, options) = (Vec::with_capacity(texts.len()), BasicPublishOptions::default());
                for text in texts {
                    let persistent = BasicProperties::default().with_delivery_mode(2);
                    let exchange = exchange.as_str().into();
                    confirmations
                        .push(channel.basic_publish(exchange, TOPIC.into(), options, text.as_bytes(), persistent).await?);
                }
                let confirmed = try_join_all(confirmations).await?;
                anyhow::ensure!(confirmed.iter().all(lapin::Confirmation::is_ack), "RabbitMQ does not confirm");
            }
            Self::Kafka { partition } => {
                let record = |text: &String| Record {
                    key: Some(b"item".to_vec()),
                    value: Some(text.clone().into_bytes()),
                    headers: BTreeMap::new(),
                    timestamp: chrono::Utc::now(),
                };
                partition.produce(texts.iter().map(record).collect(), Compression::NoCompression).await?;
            }
        }
        Ok(())
    }
}
