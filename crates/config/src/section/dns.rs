//! `[dns]`: discovery by the names of a cluster.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de};

use crate::setting::Setting;

/// What stands for the domain in a name.
const DOMAIN: &str = "{domain}";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "dns.name",
        "a DNS name with {domain} in it",
        "The DNS name of a domain in another process, such as {domain}.weft.svc.cluster.local. of a headless Service.",
    )
    .otherwise("discovery without DNS"),
    Setting::port("dns.port", "The port of every domain that is found by its address.").otherwise("told by SRV records"),
    Setting::text("dns.servers", "addresses (IP:port) with commas between them", "The name servers to ask.")
        .otherwise("those of the system"),
];

/// Discovery by DNS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name to look up, `{domain}` standing for the domain; no DNS without it.
    #[serde(default, deserialize_with = "name")]
    pub name: Option<String>,
    /// The port where address records lead; SRV records are asked for without it.
    #[serde(default)]
    pub port: Option<u16>,
    /// The name servers; the system's if there are none here.
    #[serde(default, deserialize_with = "servers")]
    pub servers: Vec<SocketAddr>,
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.contains(DOMAIN) { Ok(Some(name)) } else { Err(de::Error::custom("the same for every domain")) }
}

fn servers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.split(',').map(|server| server.trim().parse().map_err(de::Error::custom)).collect()
}
