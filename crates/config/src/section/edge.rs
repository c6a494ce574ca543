//! `[edge]`: the front door.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use crate::setting::{Setting, Shape};
use crate::units::{self, ByteSize};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::address("edge.address", "The address that the edge listens on; 0.0.0.0 or :: for every interface.")
        .default("127.0.0.1"),
    Setting::port("edge.port", "The port that the edge listens on; 0 picks a free one.").default("8080").alias(&["PORT"]),
    Setting::text(
        "edge.certificate_file",
        "a PEM file",
        "The certificate that clients are shown, and those that lead to its root; edge.key_file holds its key. New files are taken while the process runs.",
    )
    .otherwise("HTTP without TLS"),
    Setting::text("edge.key_file", "a PEM file", "The key of edge.certificate_file, closed to other users."),
    Setting::text(
        "edge.max_body",
        "a size such as \"4MiB\" (1KiB to 1GiB)",
        "The largest request body that the edge reads; larger ones are refused.",
    )
    .default("4MiB"),
    Setting::text(
        "edge.max_header",
        "a size such as \"64KiB\" (8KiB to 1MiB)",
        "The largest sum of a request's header fields; larger ones are refused.",
    )
    .default("64KiB"),
    Setting::text(
        "edge.max_url",
        "a size such as \"8KiB\" (256B to 64KiB)",
        "The longest path and query of a request together; longer ones are refused.",
    )
    .default("8KiB"),
    Setting::text("edge.max_headers", "a number from 8 to 1000", "The most header fields of a request; more are refused.")
        .shape(Shape::Integer)
        .default("64"),
    Setting::duration("edge.handshake_timeout", "How long a TLS handshake may take.").default("5s"),
    Setting::duration("edge.header_timeout", "How long a client may take to send the header of a request.").default("10s"),
    Setting::duration(
        "edge.idle_timeout",
        "How long a connection may stay without a request, or with an answer that its client does not take.",
    )
    .default("75s"),
    Setting::text("edge.max_connections", "a number of connections (at least 1)", "Connections at once; more wait in the system's queue.")
        .shape(Shape::Integer)
        .default("10000"),
    Setting::text(
        "edge.max_connections_per_address",
        "a number of connections, or 0 for no bound",
        "Connections at once from one address, or one /64 of IPv6; more are closed. Trusted proxies may have any number.",
    )
    .shape(Shape::Integer)
    .default("1024"),
    Setting::text("edge.max_streams", "a number from 1 to 10000", "Requests at once on one HTTP/2 connection.")
        .shape(Shape::Integer)
        .default("256"),
    Setting::text(
        "edge.max_resets",
        "a number of requests (at least 1)",
        "Requests that a connection's client may take back before they are answered, if they are more than half of all.",
    )
    .shape(Shape::Integer)
    .default("500"),
    Setting::text(
        "edge.trusted_proxies",
        "networks such as 10.0.0.0/8 with commas between them",
        "The proxies whose X-Forwarded-For is believed: it is read from its right end up to the first address of none of them.",
    )
    .otherwise("nobody's"),
    Setting::text(
        "edge.drain_timeout",
        units::DRAIN,
        "How long requests under way may take to finish once the process is asked to stop.",
    )
    .default("10s"),
    Setting::text("edge.reference", "on or off", "Whether /openapi.json and /docs describe what is served, to anyone.")
        .default("on"),
    Setting::text(
        "edge.cors_origins",
        "origins such as https://shop.example with commas between them, or *",
        "The origins whose pages may read the edge's answers and open WebSockets; none but its own if not set.",
    ),
];

/// The front door.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on; 0 picks a free one.
    pub port: u16,
    /// The certificate that clients are shown; HTTP without TLS if there is none.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The largest request body.
    #[serde(deserialize_with = "body")]
    pub max_body: ByteSize,
    /// The largest sum of a request's header fields.
    #[serde(deserialize_with = "header")]
    pub max_header: ByteSize,
    /// The longest path and query together.
    #[serde(deserialize_with = "url")]
    pub max_url: ByteSize,
    /// The most header fields.
    #[serde(deserialize_with = "headers")]
    pub max_headers: usize,
    /// How long a TLS handshake may take.
    #[serde(deserialize_with = "units::positive_duration")]
    pub handshake_timeout: Duration,
    /// How long a client may take to send the header of a request.
    #[serde(deserialize_with = "units::positive_duration")]
    pub header_timeout: Duration,
    /// How long a connection may stay without a request, or with an answer that is not taken.
    #[serde(deserialize_with = "units::positive_duration")]
    pub idle_timeout: Duration,
    /// Connections at once.
    pub max_connections: NonZeroUsize,
    /// Connections at once from one address; 0 for no bound.
    pub max_connections_per_address: usize,
    /// Requests at once on one HTTP/2 connection.
    #[serde(deserialize_with = "streams")]
    pub max_streams: u32,
    /// Requests that a client may take back before they are answered.
    pub max_resets: NonZeroU64,
    /// The networks of trusted proxies.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests under way may take to finish at shutdown.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
    /// Whether what is served is described.
    pub reference: Reference,
    /// The origins whose pages may read answers; `*` for all.
    #[serde(default, deserialize_with = "origins")]
    pub cors_origins: Vec<String>,
}

/// Whether what is served is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// It is, to anyone.
    On,
    /// It is not.
    Off,
}

impl Edge {
    /// Address and port.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// Networks, or single addresses.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let network = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let networks: Option<Vec<_>> = text.split(',').map(|text| network(text.trim())).collect();
    networks.ok_or_else(|| de::Error::custom("not a network"))
}

/// A number within bounds.
fn number<'de, D: Deserializer<'de>>(deserializer: D, bounds: RangeInclusive<u32>) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if bounds.contains(&number) { Ok(number) } else { Err(de::Error::custom("out of range")) }
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    usize::try_from(number(deserializer, 8..=1000)?).map_err(de::Error::custom)
}

fn streams<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    number(deserializer, 1..=10_000)
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    units::byte_size(deserializer, 256..=64 * KIB)
}

/// An origin is a scheme, a host and perhaps a port (RFC 6454 section 6.2), without a path.
fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let origins: Vec<_> = text.split(',').map(|origin| origin.trim().to_owned()).collect();
    let is_origin = |origin: &String| {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']))
    };
    if origins.iter().all(is_origin) { Ok(origins) } else { Err(de::Error::custom("not an origin")) }
}

fn body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    units::byte_size(deserializer, KIB..=1024 * MIB)
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    units::byte_size(deserializer, 8 * KIB..=MIB)
}
