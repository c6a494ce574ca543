//! Events in Redis: a stream for each source, a consumer group for each subscription.
//!
//! Rule: an event is one entry of the stream `weft:events:SOURCE`, with its topic and its envelope, and
//! in the same transaction it is published on the channel that its topic names, so that any client can
//! `PSUBSCRIBE events.user.*` (and hears what is sent while it listens). A group reads each stream from its
//! beginning on, and an entry is pending until it is acknowledged. Each turn of a consumer reads under a
//! name of its own and first takes over what is pending under whatever name. Streams keep at least the
//! newest entries, up to about [`KEPT`] each.
//!
//! Recovery: pending entries come first when a subscription goes on. Redis must be durable
//! (`appendonly yes`) for what it has acknowledged to outlive it; a group that is lost is made again
//! from the beginning of the stream, and what was handled is passed over.

use std::{fmt, fs, path::Path, time::Duration};

use redis::{
    AsyncCommands, Client, ErrorKind, RedisError, ServerErrorKind, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
    streams::{StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamMaxlen, StreamReadOptions, StreamReadReply},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::{ExposeSecret, SecretString};
use weft_call::BoxFuture;

use crate::{
    Carrier, CarrierError, Envelope, Source, Subscription,
    carrier::{ANSWER_LIMIT, BATCH, KEPT},
};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The stream of a source.
fn stream(source: &str) -> String {
    format!("weft:events:{source}")
}

/// Events in Redis.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    sender: ConnectionManager,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

fn trusting(address: &SecretString, file: &Path) -> Result<Client, CarrierError> {
    let unreadable = || CarrierError::Authority { file: file.to_owned() };
    let authorities = fs::read(file).map_err(|_| unreadable())?;
    // A file without any would be taken, and then nobody trusted.
    if CertificateDer::pem_slice_iter(&authorities).next().is_none() {
        return Err(unreadable());
    }
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(authorities) };
    Client::build_with_tls(address.expose_secret(), trusted).map_err(|_| CarrierError::Address)
}

fn settings() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT))
        .set_number_of_retries(1)
}

impl Redis {
    /// The server at an address such as `redis://user:password@host:6379/0`. It is reached when it is
    /// first needed.
    pub fn new(address: &SecretString) -> Result<Self, CarrierError> {
        Self::trusted_by(address, None)
    }

    /// The same at `rediss://`, where the server must be certified by an authority of the file `ca` (PEM), if there is one,
    /// and not by one of the system's.
    pub fn trusted_by(address: &SecretString, ca: Option<&Path>) -> Result<Self, CarrierError> {
        let client = match ca {
            Some(file) => trusting(address, file)?,
            None => Client::open(address.expose_secret()).map_err(|_| CarrierError::Address)?,
        };
        let sender = ConnectionManager::new_lazy_with_config(client.clone(), settings()).map_err(CarrierError::Redis)?;
        Ok(Self { client, sender })
    }

    async fn send_all(&self, source: &str, events: &[Envelope]) -> Result<(), CarrierError> {
        let (mut pipeline, stream) = (redis::pipe(), stream(source));
        pipeline.atomic();
        for event in events {
            let (envelope, kept) = (event.to_json(), StreamMaxlen::Approx(KEPT));
            pipeline.xadd_maxlen(&stream, kept, "*", &[("topic", &event.topic), ("event", &envelope)]).ignore();
            pipeline.publish(&event.topic, &envelope).ignore();
        }
        pipeline.query_async::<()>(&mut self.sender.clone()).await.map_err(CarrierError::Redis)
    }

    async fn open(&self, subscription: Subscription) -> Result<Inlet, CarrierError> {
        // A connection of its own: reading blocks it. Reconnecting is the next turn's.
        let settings = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT + Duration::from_secs(1)));
        let connection = self.client.get_multiplexed_async_connection_with_config(&settings);
        let mut inlet = Inlet {
            connection: connection.await.map_err(CarrierError::Redis)?,
            group: format!("weft:{}", subscription.consumer),
            name: format!("turn-{}", subscription.fence),
            streams: subscription.sources.iter().map(|source| stream(source)).collect(),
            subscription,
            answered: Vec::new(),
            pending: Vec::new(),
        };
        inlet.make_groups().await?;
        inlet.take_over().await?;
        Ok(inlet)
    }
}

impl Carrier for Redis {
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        Box::pin(self.send_all(source, events))
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        Box::pin(async move { Ok(Box::new(self.open(subscription).await?) as Box<dyn Source>) })
    }
}

/// An entry of a stream.
type Entry = (usize, StreamId);

struct Inlet {
    connection: redis::aio::MultiplexedConnection,
    group: String,
    name: String,
    streams: Vec<String>,
    subscription: Subscription,
    /// What the last answer held: stream and entry, to be acknowledged.
    answered: Vec<(usize, String)>,
    /// What others had read and not acknowledged.
    pending: Vec<Entry>,
}

impl Inlet {
    /// Makes the group on every stream, unless it is there.
    async fn make_groups(&mut self) -> Result<(), CarrierError> {
        for stream in &self.streams {
            let made: Result<(), RedisError> = self.connection.xgroup_create_mkstream(stream, &self.group, "0").await;
            match made {
                Err(error) if error.code() == Some("BUSYGROUP") => {}
                made => made.map_err(CarrierError::Redis)?,
            }
        }
        Ok(())
    }

    /// Takes over what was read under any name and not acknowledged. By the fence, nobody else handles it.
    async fn take_over(&mut self) -> Result<(), CarrierError> {
        for (index, stream) in self.streams.iter().enumerate() {
            let mut start = "0-0".to_owned();
            loop {
                let options = StreamAutoClaimOptions::default().count(BATCH);
                let claimed: StreamAutoClaimReply = self
                    .connection
                    .xautoclaim_options(stream, &self.group, &self.name, 0, &start, options)
                    .await
                    .map_err(CarrierError::Redis)?;
                self.pending.extend(claimed.claimed.into_iter().map(|entry| (index, entry)));
                start = claimed.next_stream_id;
                if start == "0-0" {
                    break;
                }
            }
        }
        // Taken from the end.
        self.pending.reverse();
        Ok(())
    }

    async fn read(&mut self, longest: Duration) -> Result<Vec<Entry>, CarrierError> {
        if !self.pending.is_empty() {
            let rest = self.pending.len().saturating_sub(BATCH);
            let mut entries = self.pending.split_off(rest);
            entries.reverse();
            return Ok(entries);
        }
        if self.streams.is_empty() {
            // Nobody publishes what is subscribed to.
            tokio::time::sleep(longest).await;
            return Ok(Vec::new());
        }
        let block = usize::try_from(longest.as_millis()).unwrap_or(usize::MAX).max(1);
        let options = StreamReadOptions::default().group(&self.group, &self.name).count(BATCH).block(block);
        let newest = vec![">"; self.streams.len()];
        let read = self.connection.xread_options(&self.streams, &newest, &options).await;
        let reply: Option<StreamReadReply> = match read {
            // The stream or the group is gone: the server forgot, or somebody deleted it.
            Err(error) if is_no_group(&error) => {
                self.make_groups().await?;
                None
            }
            read => read.map_err(CarrierError::Redis)?,
        };
        let keys = reply.into_iter().flat_map(|reply| reply.keys);
        let entries = keys.flat_map(|key| {
            let index = self.streams.iter().position(|stream| *stream == key.key);
            key.ids.into_iter().filter_map(move |entry| Some((index?, entry)))
        });
        Ok(entries.collect())
    }

    async fn next(&mut self, longest: Duration) -> Result<Vec<Envelope>, CarrierError> {
        let entries = self.read(longest).await?;
        let mut events = Vec::new();
        for (index, entry) in entries {
            let topic: Option<String> = entry.get("topic");
            if topic.is_some_and(|topic| self.subscription.wants(&topic)) {
                match Envelope::from_json(&entry.get::<Vec<u8>>("event").unwrap_or_default()) {
                    Ok(event) => events.push(event),
                    // Not ours, and it will never be: it must not stand in the way.
                    Err(error) => tracing::error!(stream = self.streams[index], id = entry.id, %error, "no event of the mesh"),
                }
            }
            self.answered.push((index, entry.id));
        }
        Ok(events)
    }

    async fn acknowledge_all(&mut self) -> Result<(), CarrierError> {
        if self.answered.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for (index, stream) in self.streams.iter().enumerate() {
            let ids: Vec<_> = self.answered.iter().filter(|(of, _)| *of == index).map(|(_, id)| id.as_str()).collect();
            if !ids.is_empty() {
                pipeline.xack(stream, &self.group, &ids).ignore();
            }
        }
        pipeline.query_async::<()>(&mut self.connection).await.map_err(CarrierError::Redis)?;
        self.answered.clear();
        Ok(())
    }
}

fn is_no_group(error: &RedisError) -> bool {
    error.code() == Some("NOGROUP") || error.kind() == ErrorKind::Server(ServerErrorKind::NoSub)
}

impl Source for Inlet {
    fn receive(&mut self, longest: Duration) -> BoxFuture<'_, Result<Vec<Envelope>, CarrierError>> {
        Box::pin(self.next(longest))
    }

    fn acknowledge(&mut self) -> BoxFuture<'_, Result<(), CarrierError>> {
        Box::pin(self.acknowledge_all())
    }
}
