//! `[database]`: where records are kept.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::setting::{Setting, Shape};
use crate::units;

const URL: &str = "a PostgreSQL address (postgres://user:password@host:port/database)";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text("database.url", URL, "The PostgreSQL database that keeps the records, as the role that serves calls.")
        .otherwise("SQLite files in data_dir")
        .alias(&["DATABASE_URL"])
        .secret()
        .credentials_running(),
    Setting::file_of("database.url_file", "database.url"),
    Setting::consul_key_of("database.url_consul_key", "database.url"),
    Setting::text("database.password", "a password", "The password for database.url, instead of one in the address.")
        .secret()
        .running(),
    Setting::file_of("database.password_file", "database.password"),
    Setting::consul_key_of("database.password_consul_key", "database.password"),
    Setting::text("database.migration_url", URL, "The same database as the role that owns the tables: migrations run under it.")
        .otherwise("database.url")
        .secret(),
    Setting::file_of("database.migration_url_file", "database.migration_url"),
    Setting::consul_key_of("database.migration_url_consul_key", "database.migration_url"),
    Setting::text(
        "database.replica_url",
        URL,
        "A replica of database.url: methods whose contract says `replica` read from it, unless their caller wrote a moment ago. \
         Needs redis.url, where all processes see who wrote what.",
    )
    .otherwise("database.url")
    .secret()
    .credentials_running(),
    Setting::file_of("database.replica_url_file", "database.replica_url"),
    Setting::consul_key_of("database.replica_url_consul_key", "database.replica_url"),
    Setting::text(
        "database.replica_connections",
        "a number of connections (at least 1)",
        "Connections of the process to the replica, beside those to the database.",
    )
    .shape(Shape::Integer)
    .default("8"),
    Setting::duration(
        "database.replica_max_lag",
        "The furthest that the replica may be behind; one that is further is not read from (at least 1s).",
    )
    .default("10s"),
    Setting::text(
        "database.max_connections",
        "a number of connections (at least 1)",
        "Connections of the process to the database, shared by all its domains.",
    )
    .shape(Shape::Integer)
    .default("16"),
    Setting::duration("database.acquire_timeout", "How long a call waits for a free connection.").default("5s"),
    Setting::duration("database.statement_timeout", "How long a single statement may run.").default("30s"),
    Setting::duration("database.max_lifetime", "How long a connection is used before another takes its place.").default("30m"),
    Setting::text(
        "database.prepared_statements",
        "a number of statements (0-65536)",
        "Statements that each connection keeps prepared; beyond it the one that was used longest ago is forgotten.",
    )
    .shape(Shape::Integer)
    .default("1024"),
    Setting::text(
        "database.pooler",
        "one of \"none\", \"transaction\"",
        "What database.url leads to: \"transaction\" for a pooler that shares sessions by the transaction, such as PgBouncer. No \
         statement stays prepared then, and database.migration_url leads to the server itself.",
    )
    .default("none"),
];

/// Where records are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The PostgreSQL address; SQLite files in the data directory without it.
    #[serde(default, deserialize_with = "postgres_url")]
    pub url: Option<SecretString>,
    /// The password for the address; [`Database::join_password`] puts it there.
    #[serde(default)]
    password: Option<SecretString>,
    /// The PostgreSQL address for migrations.
    #[serde(default, deserialize_with = "postgres_url")]
    migration_url: Option<SecretString>,
    /// The PostgreSQL address of a replica; [`Database::join_password`] puts the password there as well.
    #[serde(default, deserialize_with = "postgres_url")]
    pub replica_url: Option<SecretString>,
    /// Connections of the process to the replica.
    pub replica_connections: NonZeroU32,
    /// The furthest that the replica may be behind.
    #[serde(deserialize_with = "replica_max_lag")]
    pub replica_max_lag: Duration,
    /// Connections of the process.
    pub max_connections: NonZeroU32,
    /// How long a call waits for a free connection.
    #[serde(deserialize_with = "units::positive_duration")]
    pub acquire_timeout: Duration,
    /// How long a single statement may run.
    #[serde(deserialize_with = "units::positive_duration")]
    pub statement_timeout: Duration,
    /// How long a connection is used.
    #[serde(deserialize_with = "units::positive_duration")]
    pub max_lifetime: Duration,
    /// Statements that each connection keeps prepared.
    #[serde(deserialize_with = "prepared_statements")]
    pub prepared_statements: usize,
    /// What the address leads to.
    pub pooler: DatabasePooler,
}

/// What the address of a database leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabasePooler {
    /// The server, or what gives each connection a session of its own.
    None,
    /// What gives a session for one transaction at a time.
    Transaction,
}

impl Database {
    /// The address for migrations: `migration_url`, or else `url`.
    pub fn migration_url(&self) -> Option<&SecretString> {
        self.migration_url.as_ref().or(self.url.as_ref())
    }

    /// Puts the password into the address; false if that has no room for one.
    pub(crate) fn join_password(&mut self) -> bool {
        let Some(password) = &self.password else { return true };
        for address in [&mut self.url, &mut self.replica_url].into_iter().flatten() {
            let Ok(mut url) = Url::parse(address.expose_secret()) else { return false };
            if url.set_password(Some(password.expose_secret())).is_err() {
                return false;
            }
            *address = SecretString::from(String::from(url));
        }
        true
    }
}

/// Beyond this each connection would cost the server more memory than preparing saves time.
const MOST_PREPARED: usize = 65_536;

fn prepared_statements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(deserializer)?;
    if count <= MOST_PREPARED { Ok(count) } else { Err(serde::de::Error::custom("too many")) }
}

/// Within a second the replica cannot be asked often enough.
const LEAST_LAG: Duration = Duration::from_secs(1);

fn replica_max_lag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let lag = units::positive_duration(deserializer)?;
    if lag >= LEAST_LAG { Ok(lag) } else { Err(serde::de::Error::custom("too short")) }
}

fn postgres_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let is_postgres = |url: &Url| matches!(url.scheme(), "postgres" | "postgresql");
    units::secret_url(deserializer, is_postgres).map(Some)
}
