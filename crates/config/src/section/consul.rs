//! `[consul]`: discovery that several processes share.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "consul.address",
        "the address of a Consul agent (host:port, http:// or https://) without a password",
        "The Consul agent that processes register with and find each other by.",
    )
    .otherwise("discovery in process")
    .alias(&["CONSUL_HTTP_ADDR"]),
    Setting::text("consul.token", "an ACL token", "The ACL token that the agent wants to see.")
        .alias(&["CONSUL_HTTP_TOKEN"])
        .secret()
        .running(),
    Setting::file_of("consul.token_file", "consul.token").alias(&["CONSUL_HTTP_TOKEN_FILE"]),
    Setting::text(
        "consul.ca_file",
        "a PEM file",
        "The certificate of the authority that signed the agent's own; an https:// address needs it.",
    )
    .alias(&["CONSUL_CACERT"]),
    Setting::text(
        "consul.certificate_file",
        "a PEM file",
        "The certificate that this process shows to an agent that asks for one; consul.key_file holds its key.",
    )
    .alias(&["CONSUL_CLIENT_CERT"]),
    Setting::text("consul.key_file", "a PEM file", "The key of consul.certificate_file.").alias(&["CONSUL_CLIENT_KEY"]),
    Setting::text(
        "consul.config_key",
        "a key in Consul KV",
        "The key that holds a TOML text of settings that change while the process runs; they win over the configuration file.",
    )
    .otherwise("no settings in Consul"),
    Setting::text("consul.advertise", "an IP address or a host name", "Where others reach the domains of this process.")
        .otherwise(
            "mesh.listen, or if that is every address, the one that leads to the agent (on one machine with it: the agent's)",
        ),
    Setting::text("consul.zone", "a name", "The zone that this process runs in, told to its callers."),
    Setting::text("consul.tags", "names with commas between them", "Tags of the domains of this process in Consul."),
];

/// Shared discovery.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consul {
    /// The agent's address; discovery in process without it.
    #[serde(default, deserialize_with = "agent")]
    pub address: Option<Url>,
    /// The ACL token.
    #[serde(default)]
    pub token: Option<SecretString>,
    /// The authority of the agent's certificate.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The certificate that is shown to the agent.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The key of the document with settings.
    #[serde(default)]
    pub config_key: Option<String>,
    /// The host by which others reach this process; an IPv6 address without brackets.
    #[serde(default, deserialize_with = "host")]
    pub advertise: Option<String>,
    /// The zone of this process.
    #[serde(default)]
    pub zone: Option<String>,
    /// Tags of the domains of this process.
    #[serde(default, deserialize_with = "tags")]
    pub tags: Vec<String>,
}

/// Consul's own tools take `host:port` for plain HTTP, so it is taken here too.
fn agent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = if text.contains("://") { text } else { format!("http://{text}") };
    units::parse_http_url(&address).map(Some).map_err(de::Error::custom)
}

/// IPv6 addresses are written without brackets, as pods are told their own.
fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.parse::<Ipv6Addr>().is_err() {
        Host::parse(&text).map_err(de::Error::custom)?;
    }
    Ok(Some(text))
}

fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let tags: Vec<_> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
    if tags.iter().any(String::is_empty) { Err(de::Error::custom("an empty tag")) } else { Ok(tags) }
}
