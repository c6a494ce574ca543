//! `[redis]`: cache, counters and events that several processes share.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "redis.url",
        "an address of Redis (redis://user:password@host:port/number), of Sentinels (redis+sentinel://user:password@host:port/service/number) \
         or of a cluster (redis+cluster://user:password@host:port); over TLS rediss",
        "The Redis that several processes share for caches, counters and, if it is one server, events.",
    )
    .otherwise("all of these in process")
    .alias(&["REDIS_URL"])
    .secret(),
    Setting::file_of("redis.url_file", "redis.url"),
    Setting::consul_key_of("redis.url_consul_key", "redis.url"),
    Setting::text(
        "redis.ca",
        "a file of certificates (PEM)",
        "The authorities that a Redis spoken to over TLS (rediss) is trusted by, at redis.url and at events.url, in place of the system's.",
    )
    .otherwise("the system's"),
];

/// Shared cache, counters and events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// The address; in process without it.
    #[serde(default, deserialize_with = "redis_url")]
    pub url: Option<SecretString>,
    /// The authorities that it is trusted by, over TLS; the system's without it.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn redis_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    const SCHEMES: [&str; 6] = ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];
    let is_redis = |url: &Url| SCHEMES.contains(&url.scheme()) && url.has_host();
    units::secret_url(deserializer, is_redis).map(Some)
}
