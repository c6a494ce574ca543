//! Events in Kafka: a topic with one partition for each source, read by offset.
//!
//! Rule: an event is one record of the topic `NAMESPACE.events.SOURCE`, under its key. All replicas in sync have it
//! before it counts as sent, and one batch is sent after the other, so that a batch which is sent again
//! doubles events and swaps none. A consumer reads from its own position ([`crate::Positions`]): there is no
//! consumer group. A topic that is missing is made, with the replication that the brokers have by
//! default; one that is there stays as it is, and only its first partition is used.
//!
//! Recovery: the next turn begins at the position; where that is outside of what the brokers still have, at
//! the oldest record. What was handled is passed over. How long records are kept is the brokers' setting.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::stream;
use rskafka::{
    BackoffConfig,
    client::{
        Client, ClientBuilder, Credentials, SaslConfig,
        error::{Error, ProtocolError},
        partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};
use url::Url;
use weft_call::BoxFuture;

use crate::{
    Carrier, CarrierError, Envelope, Source, Subscription,
    carrier::{ANSWER_LIMIT, CONTENT_TYPE, in_time},
    reader::{Entries, Entry, Reader},
    tls,
};

const NAME: &str = "Kafka";
/// Largest batch, in bytes: brokers take about a megabyte unless they are told otherwise.
const BATCH_SIZE: usize = 900_000;
/// What is asked for at once, in bytes.
const FETCH_SIZE: i32 = 1_000_000;
/// How long a broker holds its answer back while there is nothing.
const FETCH_WAIT_MS: i32 = 500;
/// How long a topic may take to be made.
const MAKE_LIMIT_MS: i32 = 5000;

/// Events in Kafka.
#[derive(Clone)]
pub struct Kafka {
    brokers: Vec<String>,
    login: Option<(String, SecretString)>,
    is_secured: bool,
    namespace: String,
    client: Arc<OnceCell<Client>>,
    /// What sends to each topic that is there.
    senders: Arc<Mutex<BTreeMap<String, Arc<PartitionClient>>>>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Kafka {
    /// The brokers at addresses such as `kafka://user:password@host:9092`, parted by commas; `kafkas` is
    /// Kafka over TLS, and a user logs in by SASL PLAIN. They are reached when they are first needed. The namespace
    /// begins every name there.
    pub fn new(address: &SecretString, namespace: &str) -> Result<Self, CarrierError> {
        let urls: Result<Vec<Url>, _> = address.expose_secret().split(',').map(Url::parse).collect();
        let urls = urls.map_err(|_| CarrierError::Address)?;
        let (mut brokers, mut login) = (Vec::new(), None);
        for url in &urls {
            let host = url.host_str().filter(|host| !host.is_empty()).ok_or(CarrierError::Address)?;
            brokers.push(format!("{host}:{}", url.port().unwrap_or(9092)));
            let text = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
            if let Some(password) = url.password() {
                login = Some((text(url.username()), SecretString::from(text(password))));
            }
        }
        let is_secured = urls.iter().all(|url| url.scheme() == "kafkas");
        let (client, senders) = (Arc::default(), Arc::default());
        Ok(Self { brokers, login, is_secured, namespace: namespace.to_owned(), client, senders })
    }

    async fn client(&self) -> Result<&Client, CarrierError> {
        let connect = async || {
            let pauses = BackoffConfig {
                init_backoff: Duration::from_millis(50),
                max_backoff: Duration::from_millis(500),
                deadline: Some(ANSWER_LIMIT),
                ..BackoffConfig::default()
            };
            let mut builder = ClientBuilder::new(self.brokers.clone()).client_id("weft").backoff_config(pauses);
            if let Some((user, password)) = &self.login {
                let login = Credentials::new(user.clone(), password.expose_secret().to_owned());
                builder = builder.sasl_config(SaslConfig::Plain(login));
            }
            if self.is_secured {
                builder = builder.tls_config(Arc::new(tls::client()));
            }
            builder.build().await.map_err(CarrierError::Kafka)
        };
        self.client.get_or_try_init(connect).await
    }

    /// The topic of a source, made unless it is there.
    async fn topic(&self, source: &str) -> Result<PartitionClient, CarrierError> {
        let (client, name) = (self.client().await?, format!("{}.events.{source}", self.namespace));
        let open = || client.partition_client(&name, 0, UnknownTopicHandling::Error);
        match open().await {
            Err(error) if is(&error, ProtocolError::UnknownTopicOrPartition) => {}
            opened => return opened.map_err(CarrierError::Kafka),
        }
        let controller = client.controller_client().map_err(CarrierError::Kafka)?;
        match controller.create_topic(&name, 1, -1, MAKE_LIMIT_MS).await {
            Err(error) if is(&error, ProtocolError::TopicAlreadyExists) => {}
            made => made.map_err(CarrierError::Kafka)?,
        }
        client.partition_client(&name, 0, UnknownTopicHandling::Retry).await.map_err(CarrierError::Kafka)
    }

    async fn sender(&self, source: &str) -> Result<Arc<PartitionClient>, CarrierError> {
        if let Some(sender) = self.senders.lock().await.get(source) {
            return Ok(Arc::clone(sender));
        }
        let sender = Arc::new(self.topic(source).await?);
        self.senders.lock().await.insert(source.to_owned(), Arc::clone(&sender));
        Ok(sender)
    }

    async fn send_all(&self, source: &str, events: &[Envelope]) -> Result<(), CarrierError> {
        let sender = self.sender(source).await?;
        let (mut records, mut size) = (Vec::new(), 0);
        for event in events {
            let record = record(event);
            if size + record.approximate_size() > BATCH_SIZE && !records.is_empty() {
                produce(&sender, std::mem::take(&mut records)).await?;
                size = 0;
            }
            size += record.approximate_size();
            records.push(record);
        }
        produce(&sender, records).await
    }

    async fn open(&self, subscription: Subscription) -> Result<Reader, CarrierError> {
        let mut logs = Vec::new();
        for source in &subscription.sources {
            let topic = self.topic(source).await?;
            let name = format!("kafka {}", topic.topic());
            let passed = subscription.positions.get(&name).await?;
            logs.push((name, read(topic, passed).await?));
        }
        Ok(Reader::new(NAME, subscription, logs))
    }
}

fn is(error: &Error, wanted: ProtocolError) -> bool {
    matches!(error, Error::ServerError { protocol_error, .. } if *protocol_error == wanted)
}

fn record(event: &Envelope) -> Record {
    Record {
        key: Some(event.key.clone().into_bytes()),
        value: Some(event.to_json().into_bytes()),
        headers: BTreeMap::from([("content-type".to_owned(), CONTENT_TYPE.into())]),
        timestamp: event.time,
    }
}

async fn produce(sender: &PartitionClient, records: Vec<Record>) -> Result<(), CarrierError> {
    sender.produce(records, Compression::NoCompression).await.map(drop).map_err(CarrierError::Kafka)
}

/// What comes from a topic behind an offset.
async fn read(topic: PartitionClient, passed: Option<i64>) -> Result<Entries, CarrierError> {
    let oldest = topic.get_offset(OffsetAt::Earliest).await.map_err(CarrierError::Kafka)?;
    let newest = topic.get_offset(OffsetAt::Latest).await.map_err(CarrierError::Kafka)?;
    let next = passed.map(|passed| passed.saturating_add(1)).filter(|next| (oldest..=newest).contains(next));
    let fetch = async |(topic, next): (PartitionClient, i64)| {
        let fetched = topic.fetch_records(next, 1..FETCH_SIZE, FETCH_WAIT_MS).await;
        let (next, entries) = match fetched {
            Ok((records, _)) => {
                let entries = records.into_iter();
                let entries =
                    entries.map(|found| Entry { place: found.offset, text: found.record.value.unwrap_or_default().into() });
                let entries: Vec<_> = entries.collect();
                (entries.last().map_or(next, |last| last.place + 1), Ok(entries))
            }
            Err(error) => (next, Err(CarrierError::Kafka(error))),
        };
        Some((entries, (topic, next)))
    };
    Ok(Box::pin(stream::unfold((topic, next.unwrap_or(oldest)), fetch)))
}

impl Carrier for Kafka {
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        Box::pin(async move {
            let sent = in_time(NAME, self.send_all(source, events)).await.flatten();
            if sent.is_err() {
                // The topic may be gone.
                self.senders.lock().await.remove(source);
            }
            sent
        })
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        Box::pin(async move {
            let reader = in_time(NAME, Box::pin(self.open(subscription))).await??;
            Ok(Box::new(reader) as Box<dyn Source>)
        })
    }
}
