//! `[consul]`: discovery that several processes share.

use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[Setting::text(
    "consul.address",
    "the address of a Consul agent (host:port, http:// or https://) without a password",
    "The Consul agent that processes register with and find each other by.",
)
.otherwise("discovery in process")
.alias(&["CONSUL_HTTP_ADDR"])];

/// Shared discovery.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consul {
    /// The agent's address; discovery in process without it.
    #[serde(default, deserialize_with = "agent")]
    pub address: Option<Url>,
}

/// Consul's own tools take `host:port` for plain HTTP, so it is taken here too.
fn agent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = if text.contains("://") { text } else { format!("http://{text}") };
    units::parse_http_url(&address).map(Some).map_err(de::Error::custom)
}
