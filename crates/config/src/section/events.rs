//! `[events]`: events between domains.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

use crate::setting::Setting;
use crate::units;

const ADDRESS: &str = "the address of a carrier (redis://, nats://, amqp:// or kafka://user:password@host:port; over TLS rediss://, \
                       tls://, amqps:// or kafkas://), of NATS or Kafka several, parted by commas";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "events.url",
        ADDRESS,
        "What carries events between processes: Redis, NATS JetStream, RabbitMQ or Kafka, by the scheme of its address.",
    )
    .otherwise("redis.url, or in process without it")
    .secret(),
    Setting::file_of("events.url_file", "events.url"),
    Setting::consul_key_of("events.url_consul_key", "events.url"),
    Setting::text(
        "events.namespace",
        "a name of at most 63 lower-case letters, digits and hyphens",
        "What begins every name at NATS, RabbitMQ or Kafka, so that several meshes can share one.",
    )
    .default("weft"),
    Setting::duration(
        "events.lease",
        "How long a process that is gone keeps others from relaying and handling events in its place.",
    )
    .default("10s"),
    Setting::duration("events.retention", "How long a domain keeps the events that it has published, once they are sent.")
        .default("7d"),
];

/// Events between domains.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// The address of what carries them.
    #[serde(default, deserialize_with = "carrier_url")]
    pub url: Option<SecretString>,
    /// What begins every name at the carrier.
    #[serde(deserialize_with = "namespace")]
    pub namespace: String,
    /// How long a lease holds that is not renewed.
    #[serde(deserialize_with = "units::positive_duration")]
    pub lease: Duration,
    /// How long a domain keeps the events that it has published.
    #[serde(deserialize_with = "units::positive_duration")]
    pub retention: Duration,
}

impl Events {
    /// The addresses that `url` holds, none if there is none.
    pub fn addresses(&self) -> Vec<Url> {
        let text = self.url.as_ref().map_or("", |url| url.expose_secret());
        text.split(',').filter_map(|address| Url::parse(address).ok()).collect()
    }
}

fn carrier_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let urls: Result<Vec<Url>, _> = text.split(',').map(Url::parse).collect();
    let urls = urls.ok().filter(|urls| urls.iter().all(|url| url.host_str().is_some_and(|host| !host.is_empty())));
    let scheme = urls.as_ref().and_then(|urls| urls.first()).map(|url| url.scheme().to_owned());
    let most = match scheme.as_deref() {
        Some("redis" | "rediss" | "amqp" | "amqps") => 1,
        Some("nats" | "tls" | "kafka" | "kafkas") => usize::MAX,
        _ => 0,
    };
    let is_one_of = |urls: Vec<Url>| urls.len() <= most && urls.iter().all(|url| Some(url.scheme()) == scheme.as_deref());
    if urls.is_some_and(is_one_of) { Ok(Some(text.into())) } else { Err(D::Error::custom("no addresses of one carrier")) }
}

fn namespace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text);
    }
    Err(D::Error::custom("not a plain name"))
}
