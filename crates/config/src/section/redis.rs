//! `[redis]`: cache, counters and events that several processes share.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "redis.url",
        "a Redis address (redis:// or rediss://user:password@host:port/number)",
        "The Redis that several processes share for caches, counters and events.",
    )
    .otherwise("all of these in process")
    .alias(&["REDIS_URL"])
    .secret(),
    Setting::file_of("redis.url_file", "redis.url"),
    Setting::consul_key_of("redis.url_consul_key", "redis.url"),
];

/// Shared cache, counters and events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// The address; in process without it.
    #[serde(default, deserialize_with = "redis_url")]
    pub url: Option<SecretString>,
}

fn redis_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let is_redis = |url: &Url| matches!(url.scheme(), "redis" | "rediss") && url.has_host();
    units::secret_url(deserializer, is_redis).map(Some)
}
