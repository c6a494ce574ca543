//! `[seal]`: what secrets at rest are sealed with.

use secrecy::SecretString;
use serde::Deserialize;

use crate::setting::Setting;

const KEY: &str = "32 random bytes in base64 (openssl rand -base64 32)";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text("seal.key", KEY, "The key that seals the secrets which domains keep in their databases.")
        .otherwise("with SQLite, a key of its own in data_dir; with PostgreSQL, secrets stand unsealed")
        .secret(),
    Setting::file_of("seal.key_file", "seal.key"),
    Setting::consul_key_of("seal.key_consul_key", "seal.key"),
    Setting::text(
        "seal.previous_keys",
        "such keys, with commas between them",
        "The keys before it, for as long as something that they sealed is still there.",
    )
    .secret(),
    Setting::file_of("seal.previous_keys_file", "seal.previous_keys"),
    Setting::consul_key_of("seal.previous_keys_consul_key", "seal.previous_keys"),
];

/// What secrets at rest are sealed with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The key that seals.
    #[serde(default)]
    pub key: Option<SecretString>,
    /// The keys before it, with commas between them.
    #[serde(default)]
    pub previous_keys: Option<SecretString>,
}
