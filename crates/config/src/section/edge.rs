//! `[edge]`: the front door.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::setting::Setting;
use crate::units::{self, ByteSize};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::address("edge.address", "The address that the edge listens on; 0.0.0.0 or :: for every interface.")
        .default("127.0.0.1"),
    Setting::port("edge.port", "The port that the edge listens on; 0 picks a free one.").default("8080").alias(&["PORT"]),
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
    Setting::duration("edge.header_timeout", "How long a client may take to send the header of a request.").default("10s"),
    Setting::text(
        "edge.drain_timeout",
        units::DRAIN,
        "How long requests under way may take to finish once the process is asked to stop.",
    )
    .default("10s"),
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
    /// The largest request body.
    #[serde(deserialize_with = "body")]
    pub max_body: ByteSize,
    /// The largest sum of a request's header fields.
    #[serde(deserialize_with = "header")]
    pub max_header: ByteSize,
    /// How long a client may take to send the header of a request.
    #[serde(deserialize_with = "units::positive_duration")]
    pub header_timeout: Duration,
    /// How long requests under way may take to finish at shutdown.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
    /// The origins whose pages may read answers; `*` for all.
    #[serde(default, deserialize_with = "origins")]
    pub cors_origins: Vec<String>,
}

impl Edge {
    /// Address and port.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
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
