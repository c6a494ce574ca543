//! Events in NATS JetStream: a stream for each source, read by place.
//!
//! Rule: an event is one message of the stream `NAMESPACE-events-SOURCE` under the subject
//! `NAMESPACE.SOURCE.TOPIC`, so that any client can subscribe to `weft.*.events.user.>`. Each message names its
//! event as its id and the event before it as the one that must stand before it: what is lost on the way takes
//! what follows with it, and what comes again is recognised. A consumer reads from its own position
//! ([`crate::Positions`]), and a gap in the numbers that come ends its turn. A stream that is missing is
//! made, in files, with one replica and the newest entries up to [`KEPT`]; one that is there stays as it is.
//!
//! Recovery: the next turn begins at the position. A stream that was made anew is read from its beginning, and
//! what was handled is passed over. JetStream acknowledges what it has written, and synchronises its files as
//! its own `sync_interval` says: that setting decides what survives a power cut of every replica at once.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectOptions, HeaderMap, ServerAddr, header,
    jetstream::{
        self, Context,
        consumer::{AckPolicy, DeliverPolicy, pull},
        context::PublishAckFuture,
        stream,
    },
};
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};
use weft_call::BoxFuture;

use crate::{
    Carrier, CarrierError, Envelope, Source, Subscription,
    carrier::{ANSWER_LIMIT, BATCH, CONTENT_TYPE, KEPT, in_time},
    reader::{Entries, Entry, Reader},
};

const NAME: &str = "NATS";
/// How long a consumer is kept whose process says nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// How often the server shows that it is there while nothing comes.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Events in NATS JetStream.
#[derive(Clone)]
pub struct Nats {
    servers: Vec<ServerAddr>,
    namespace: String,
    context: Arc<OnceCell<Context>>,
    /// Streams that are there.
    made: Arc<Mutex<BTreeSet<String>>>,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

fn failed(error: impl Into<async_nats::Error>) -> CarrierError {
    CarrierError::Nats(error.into())
}

impl Nats {
    /// The servers at addresses such as `nats://user:password@host:4222`, parted by commas. They are reached when
    /// they are first needed. The namespace begins every name there.
    pub fn new(address: &SecretString, namespace: &str) -> Result<Self, CarrierError> {
        let servers = address.expose_secret().split(',').map(|server| server.parse().map_err(|_| CarrierError::Address));
        let servers = servers.collect::<Result<_, _>>()?;
        Ok(Self { servers, namespace: namespace.to_owned(), context: Arc::default(), made: Arc::default() })
    }

    async fn context(&self) -> Result<&Context, CarrierError> {
        let connect = async || {
            let options = ConnectOptions::new().connection_timeout(ANSWER_LIMIT).request_timeout(Some(ANSWER_LIMIT));
            let client: Client = options.name("weft").connect(self.servers.as_slice()).await.map_err(failed)?;
            let mut context = jetstream::new(client);
            context.set_timeout(ANSWER_LIMIT);
            Ok(context)
        };
        self.context.get_or_try_init(connect).await
    }

    /// The stream of a source, made unless it is there.
    async fn stream(&self, source: &str) -> Result<stream::Stream, CarrierError> {
        let config = stream::Config {
            name: format!("{}-events-{source}", self.namespace),
            subjects: vec![format!("{}.{source}.>", self.namespace)],
            max_messages: i64::try_from(KEPT).unwrap_or(i64::MAX),
            ..stream::Config::default()
        };
        self.context().await?.get_or_create_stream(config).await.map_err(failed)
    }

    async fn send_all(&self, source: &str, events: &[Envelope]) -> Result<(), CarrierError> {
        if !self.made.lock().await.contains(source) {
            self.stream(source).await?;
            self.made.lock().await.insert(source.to_owned());
        }
        let sent = self.publish(source, events).await;
        if sent.is_err() {
            self.made.lock().await.remove(source);
        }
        sent
    }

    async fn publish(&self, source: &str, events: &[Envelope]) -> Result<(), CarrierError> {
        let context = self.context().await?;
        let mut acknowledgements: Vec<PublishAckFuture> = Vec::with_capacity(events.len());
        let mut before: Option<String> = None;
        for event in events {
            let (id, mut headers) = (event.id.to_string(), HeaderMap::new());
            headers.insert("content-type", CONTENT_TYPE);
            headers.insert(header::NATS_MESSAGE_ID, id.as_str());
            if let Some(before) = before.replace(id) {
                headers.insert(header::NATS_EXPECTED_LAST_MESSAGE_ID, before);
            }
            let subject = format!("{}.{source}.{}", self.namespace, event.topic);
            let published = context.publish_with_headers(subject, headers, event.to_json().into()).await;
            acknowledgements.push(published.map_err(failed)?);
        }
        for acknowledgement in acknowledgements {
            acknowledgement.await.map_err(failed)?;
        }
        Ok(())
    }

    async fn open(&self, subscription: Subscription) -> Result<Reader, CarrierError> {
        let mut logs = Vec::new();
        for source in &subscription.sources {
            let stream = self.stream(source).await?;
            let info = stream.cached_info();
            // A stream that was made anew counts from the beginning.
            let name = format!("nats {} {}", info.config.name, info.created.unix_timestamp_nanos());
            let passed = subscription.positions.get(&name).await?;
            logs.push((name, read(&stream, passed).await?));
        }
        Ok(Reader::new(NAME, subscription, logs))
    }
}

/// What comes from a stream behind a place.
async fn read(stream: &stream::Stream, passed: Option<i64>) -> Result<Entries, CarrierError> {
    let next = passed.and_then(|passed| u64::try_from(passed).ok()).map(|passed| passed.saturating_add(1));
    let deliver_policy = next.map_or(DeliverPolicy::All, |start_sequence| DeliverPolicy::ByStartSequence { start_sequence });
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        inactive_threshold: IDLE_LIMIT,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let name = stream.cached_info().config.name.clone();
    let consumer = stream.create_consumer(config).await.map_err(failed)?;
    let messages = consumer.stream().max_messages_per_batch(BATCH * 2).heartbeat(HEARTBEAT).expires(IDLE_LIMIT);
    let messages = messages.messages().await.map_err(failed)?;
    // The first may come from behind entries that were trimmed.
    let mut last = None;
    Ok(Box::pin(messages.map(move |message| {
        let message = message.map_err(failed)?;
        let place = i64::try_from(message.info().map_err(failed)?.stream_sequence).unwrap_or(i64::MAX);
        if last.replace(place).is_some_and(|last: i64| last.checked_add(1) != Some(place)) {
            return Err(CarrierError::Gap(name.clone()));
        }
        Ok(vec![Entry { place, text: message.message.payload }])
    })))
}

impl Carrier for Nats {
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        // However many there are, each is acknowledged in time or the carrier is silent.
        Box::pin(async move { in_time(NAME, self.send_all(source, events)).await? })
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        Box::pin(async move {
            let reader = in_time(NAME, Box::pin(self.open(subscription))).await??;
            Ok(Box::new(reader) as Box<dyn Source>)
        })
    }
}
