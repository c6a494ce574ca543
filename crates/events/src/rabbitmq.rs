//! Events in RabbitMQ: a topic exchange, and a quorum queue for each consumer.
//!
//! Rule: an event is one persistent message on the exchange `NAMESPACE.events`, routed by its topic into the
//! queue `NAMESPACE.CONSUMER` of each domain that subscribes to it; it counts as sent when RabbitMQ has confirmed it.
//! The queues of all domains are declared before the first is sent, so that each gets what is
//! sent before it has ever run. A queue has one active consumer at a time, and every consumer takes the
//! same number of messages ahead: those that one leaves behind are the first that the next gets, in
//! their order.
//!
//! Recovery: what was not confirmed is sent again, what was not acknowledged is given again, and what was
//! handled is passed over. A queue keeps its events until they are acknowledged: one whose domain is
//! gone for good is for an operator to delete. RabbitMQ 3.10 needs three minutes, or an orderly end, to
//! write down that a queue is new: one that is killed before never answers for it again. There is no log here to start from: a domain that is new gets
//! what is sent from then on.

mod wire;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::try_join_all};
use lapin::{
    BasicProperties, Channel, Connection, Consumer, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use weft_call::{BoxFuture, TopicPattern};

use crate::{
    Carrier, CarrierError, Envelope, Source, Subscription,
    carrier::{BATCH, CONTENT_TYPE, in_time},
};

const NAME: &str = "RabbitMQ";
/// Messages that a consumer takes ahead. The order after a crash rests on it being the same for all.
const PREFETCH: u16 = 256;
/// After so many seconds of silence a process counts as gone, unless the address says otherwise.
const HEARTBEAT: u16 = 10;
/// How often a message may be given again: as often as it takes. Newer servers would drop it after twenty times.
const DELIVERY_LIMIT: i64 = 1_000_000_000;
/// What keeps a message through a restart (AMQP 0-9-1, basic class).
const PERSISTENT: u8 = 2;
/// What a connection that ends in order says (AMQP 0-9-1, reply codes).
const REPLY_SUCCESS: u16 = 200;

/// Events in RabbitMQ.
#[derive(Clone)]
pub struct RabbitMq {
    address: Arc<AMQPUri>,
    namespace: Arc<str>,
    consumers: Arc<[(&'static str, Vec<TopicPattern>)]>,
    /// The connection that sends, and a channel for each source.
    sender: Arc<Mutex<Option<Arc<Connection>>>>,
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl RabbitMq {
    /// The server at an address such as `amqp://user:password@host:5672/vhost` (without a vhost the one named `/`); `amqps` is
    /// AMQP over TLS. It is reached when it is first needed. The namespace begins every name there.
    pub fn new(
        address: &SecretString,
        namespace: &str,
        consumers: impl IntoIterator<Item = (&'static str, Vec<TopicPattern>)>,
    ) -> Result<Self, CarrierError> {
        let mut address: AMQPUri = address.expose_secret().parse().map_err(|_| CarrierError::Address)?;
        address.query.heartbeat.get_or_insert(HEARTBEAT);
        if address.vhost.is_empty() {
            "/".clone_into(&mut address.vhost);
        }
        Ok(Self {
            address: Arc::new(address),
            namespace: namespace.into(),
            consumers: consumers.into_iter().collect(),
            sender: Arc::default(),
            channels: Arc::default(),
        })
    }

    fn exchange(&self) -> String {
        format!("{}.events", self.namespace)
    }

    fn queue(&self, consumer: &str) -> String {
        format!("{}.{consumer}", self.namespace)
    }

    /// Declares the exchange.
    async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(self.exchange().into(), ExchangeKind::Topic, durable, FieldTable::default()).await
    }

    /// Declares a consumer's queue, and has its topics routed there.
    async fn declare_queue(&self, channel: &Channel, consumer: &str, patterns: &[TopicPattern]) -> lapin::Result<()> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
        let queue = self.queue(consumer);
        channel.queue_declare(queue.clone().into(), QueueDeclareOptions::durable(), arguments).await?;
        for pattern in patterns {
            // Whatever follows is `#` to RabbitMQ, which also takes nothing: what is too much is passed over here.
            let key = pattern.as_str().replace('*', "#");
            let (exchange, options) = (self.exchange(), QueueBindOptions::default());
            channel.queue_bind(queue.clone().into(), exchange.into(), key.into(), options, FieldTable::default()).await?;
        }
        Ok(())
    }

    /// The connection that sends.
    async fn connection(&self) -> Result<Arc<Connection>, CarrierError> {
        let mut sender = self.sender.lock().await;
        if let Some(connection) = sender.as_ref().filter(|connection| connection.status().connected()) {
            return Ok(Arc::clone(connection));
        }
        self.channels.lock().await.clear();
        let connection = wire::connect(&self.address).await.map_err(CarrierError::RabbitMq)?;
        let channel = connection.create_channel().await.map_err(CarrierError::RabbitMq)?;
        self.declare(&channel).await.map_err(CarrierError::RabbitMq)?;
        for (consumer, patterns) in self.consumers.iter() {
            self.declare_queue(&channel, consumer, patterns).await.map_err(CarrierError::RabbitMq)?;
        }
        Ok(Arc::clone(sender.insert(Arc::new(connection))))
    }

    async fn send_all(&self, source: &str, events: &[Envelope]) -> Result<(), CarrierError> {
        let connection = self.connection().await?;
        // A channel that fails, or whose answers are not awaited, is not used again.
        let kept = self.channels.lock().await.remove(source);
        let channel = match kept.filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => confirming(&connection).await.map_err(CarrierError::RabbitMq)?,
        };
        self.publish(&channel, events).await?;
        self.channels.lock().await.insert(source.to_owned(), channel);
        Ok(())
    }

    async fn publish(&self, channel: &Channel, events: &[Envelope]) -> Result<(), CarrierError> {
        let (exchange, options) = (self.exchange(), BasicPublishOptions::default());
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_content_type(CONTENT_TYPE.into());
        let mut confirmations = Vec::with_capacity(events.len());
        for event in events {
            let properties = properties.clone().with_message_id(event.id.to_string().into());
            let (topic, text) = (event.topic.as_str().into(), event.to_json());
            let published = channel.basic_publish(exchange.as_str().into(), topic, options, text.as_bytes(), properties).await;
            confirmations.push(published.map_err(CarrierError::RabbitMq)?);
        }
        let confirmed = try_join_all(confirmations).await.map_err(CarrierError::RabbitMq)?;
        if confirmed.iter().all(lapin::Confirmation::is_ack) { Ok(()) } else { Err(CarrierError::RabbitMqUnconfirmed) }
    }

    async fn open(&self, subscription: Subscription) -> Result<Inlet, CarrierError> {
        // A connection of its own: when it ends, so does its place as the queue's consumer.
        let connection = wire::connect(&self.address).await.map_err(CarrierError::RabbitMq)?;
        let opened = async {
            let channel = connection.create_channel().await?;
            self.declare(&channel).await?;
            self.declare_queue(&channel, subscription.consumer, &subscription.patterns).await?;
            channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
            let (queue, tag) = (self.queue(subscription.consumer), format!("turn-{}", subscription.fence));
            let options = BasicConsumeOptions::default();
            let deliveries = channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()).await?;
            Ok((channel, deliveries))
        };
        let (channel, deliveries) = opened.await.map_err(CarrierError::RabbitMq)?;
        Ok(Inlet { deliveries, channel, connection, subscription, answered: None })
    }
}

/// A channel on which every message is confirmed.
async fn confirming(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

impl Carrier for RabbitMq {
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        Box::pin(async move { in_time(NAME, self.send_all(source, events)).await? })
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        Box::pin(async move { Ok(Box::new(in_time(NAME, self.open(subscription)).await??) as Box<dyn Source>) })
    }
}

struct Inlet {
    deliveries: Consumer,
    channel: Channel,
    connection: Connection,
    subscription: Subscription,
    /// The last message of the last answer, until that is acknowledged.
    answered: Option<u64>,
}

impl Inlet {
    async fn next(&mut self, longest: Duration) -> Result<Vec<Envelope>, CarrierError> {
        let mut events = Vec::new();
        let Ok(mut came) = tokio::time::timeout(longest, self.deliveries.next()).await else { return Ok(events) };
        loop {
            let delivery = came.ok_or(CarrierError::Silent(NAME))?.map_err(CarrierError::RabbitMq)?;
            events.extend(self.take(&delivery));
            if events.len() >= BATCH {
                return Ok(events);
            }
            // What has come already.
            let Some(next) = self.deliveries.next().now_or_never() else { return Ok(events) };
            came = next;
        }
    }

    /// The event of a message, if it is subscribed to.
    fn take(&mut self, delivery: &Delivery) -> Option<Envelope> {
        self.answered = Some(delivery.delivery_tag);
        match Envelope::from_json(&delivery.data) {
            Ok(event) => Some(event).filter(|event| self.subscription.wants(&event.topic)),
            Err(error) => {
                // Not ours, and it will never be: it must not stand in the way.
                tracing::error!(carrier = NAME, key = %delivery.routing_key, %error, "no event of the mesh");
                None
            }
        }
    }

    async fn acknowledge_all(&mut self) -> Result<(), CarrierError> {
        let Some(last) = self.answered.take() else { return Ok(()) };
        self.channel.basic_ack(last, BasicAckOptions { multiple: true }).await.map_err(CarrierError::RabbitMq)
    }
}

/// It ends as a whole. A consumer that is dropped by itself is cancelled, and RabbitMQ then goes on to the next while what the
/// first had taken ahead is still the first one's: that would come later, out of order.
impl Drop for Inlet {
    fn drop(&mut self) {
        // Told at the first poll; nobody awaits the answer.
        let _ = self.connection.close(REPLY_SUCCESS, "the turn is over".into()).now_or_never();
    }
}

impl Source for Inlet {
    fn receive(&mut self, longest: Duration) -> BoxFuture<'_, Result<Vec<Envelope>, CarrierError>> {
        Box::pin(self.next(longest))
    }

    fn acknowledge(&mut self) -> BoxFuture<'_, Result<(), CarrierError>> {
        Box::pin(self.acknowledge_all())
    }
}
