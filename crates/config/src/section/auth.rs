//! `[auth]`: end-user tokens and passwords.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::setting::{Setting, Shape};
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::duration("auth.access_token_ttl", "How long an access token is valid.").default("10m"),
    Setting::duration("auth.refresh_token_ttl", "How long a refresh token is valid.").default("30d"),
    Setting::text(
        "auth.max_parallel_hashes",
        "a number of password hashes (at least 1)",
        "Password hashes that are computed at once; each one takes a core and tens of megabytes of memory.",
    )
    .shape(Shape::Integer)
    .otherwise("one for each core"),
    Setting::text(
        "auth.first_administrator_email",
        "an email address",
        "Whoever has this address owns a tenant from the first start on: the account is opened if there is none.",
    ),
    Setting::text("auth.first_administrator_password", "8 to 1024 bytes", "The password that this account is opened with.")
        .otherwise("none; the address needs one")
        .secret(),
    Setting::file_of("auth.first_administrator_password_file", "auth.first_administrator_password"),
    Setting::consul_key_of("auth.first_administrator_password_consul_key", "auth.first_administrator_password"),
];

/// End-user tokens and passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// How long an access token is valid.
    #[serde(deserialize_with = "units::positive_duration")]
    pub access_token_ttl: Duration,
    /// How long a refresh token is valid.
    #[serde(deserialize_with = "units::positive_duration")]
    pub refresh_token_ttl: Duration,
    max_parallel_hashes: Option<NonZeroUsize>,
    /// The address of the account that is there from the first start on.
    #[serde(default)]
    pub first_administrator_email: Option<String>,
    /// The password that this account is opened with.
    #[serde(default)]
    pub first_administrator_password: Option<SecretString>,
}

impl Auth {
    /// Password hashes that are computed at once: as configured, or else one for each core.
    pub fn max_parallel_hashes(&self) -> NonZeroUsize {
        self.max_parallel_hashes.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}
