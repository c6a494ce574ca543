//! One typed configuration: defaults < file < text in Consul < environment < flags.
//!
//! # Problem
//!
//! A process is configured from four places at once, and a mistake in any of them (a typing error in
//! a key, a duration without a unit, a variable that nobody reads) otherwise shows up hours later as
//! odd behaviour.
//!
//! # Rule
//!
//! - Every setting stands once, in the table of its section ([`settings`]): path, default,
//!   what is expected, documentation. The environment variable of `edge.max_body` is
//!   `WEFT_EDGE_MAX_BODY`; variables are resolved against the table, so an underscore in a name is
//!   never ambiguous. A few names that people expect (`DATABASE_URL`, `PORT`, ..) are read as well;
//!   the `WEFT_` name wins over them. A variable set to nothing counts as not set.
//! - Later layers win: defaults, then `weft.toml` (or the file that `--config` or `WEFT_CONFIG`
//!   names), then the TOML text that Consul has under `consul.config_key`, then the environment, then
//!   flags (`--set edge.port=9000`).
//! - Whatever is not known is refused, in the file, in a flag, and for variables that start with
//!   `WEFT_` (but for `WEFT_TEST_*` and `WEFT_SABOTAGE*`, which steer tests).
//! - Secrets are [`secrecy::SecretString`]: neither `Debug`, nor [`Loaded::render`], nor an error
//!   shows them. A secret can also be in a file or under a key in Consul: `database.url_file` and
//!   `database.url_consul_key` say where `database.url` is.
//! - Some settings change while a process runs ([`Setting::changes`]). A new configuration is checked
//!   as a whole like the first; then [`Loaded::change_to`] takes what may change and names what
//!   differs otherwise.
//!
//! # Recovery
//!
//! Every error is one sentence that names the setting, where its value came from, and what was
//! expected. In Kubernetes, service links inject variables such as
//! `WEFT_EDGE_PORT=tcp://10.0.0.1:8080` for a Service named `weft-edge`: set
//! `enableServiceLinks: false` on the pod.

mod caller_rule;
mod change;
mod env_example;
mod environment;
mod error;
mod file;
mod flags;
mod layers;
mod load;
mod redact;
mod secrets;
mod section;
mod setting;
mod source;
mod units;

use std::path::PathBuf;

use serde::Deserialize;

pub use caller_rule::CallerRule;
pub use change::Changed;
pub use env_example::env_example;
pub use error::{ConfigError, Hint};
pub use load::{ConsulKeys, Loaded, Sources};
pub use section::admin::Admin;
pub use section::auth::Auth;
pub use section::blobs::{Blobs, BlobsUrl};
pub use section::consul::Consul;
pub use section::database::{Database, DatabasePooler};
pub use section::dns::Dns;
pub use section::domains::Domains;
pub use section::edge::{Edge, Reference};
pub use section::events::Events;
pub use section::jobs::Jobs;
pub use section::limits::{Factor, Limits, Quota};
pub use section::log::{Log, LogFormat};
pub use section::mesh::{CallerRules, CertificatesFrom, Mesh};
pub use section::otel::Otel;
pub use section::redis::Redis;
pub use section::seal::Seal;
pub use section::settings;
pub use section::tuning::{Breaker, Concurrency, Connections, Retry, Streams, Tuning};
pub use setting::{Changes, Fallback, Setting};
pub use source::Source;
pub use units::{ByteSize, HostPort, UnitError};

/// The whole configuration of a process, every value checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the process keeps its files: databases, certificates.
    pub data_dir: PathBuf,
    /// Where records are kept.
    pub database: Database,
    /// Shared cache and counters.
    #[serde(default)]
    pub redis: Redis,
    /// Where files are kept.
    pub blobs: Blobs,
    /// Events between domains.
    pub events: Events,
    /// Work at its time.
    pub jobs: Jobs,
    /// Secrets at rest.
    #[serde(default)]
    pub seal: Seal,
    /// Shared discovery.
    #[serde(default)]
    pub consul: Consul,
    /// Discovery by the names of a cluster.
    #[serde(default)]
    pub dns: Dns,
    /// The front door.
    pub edge: Edge,
    /// The operators' port: health, metrics.
    pub admin: Admin,
    /// Calls between domains.
    pub mesh: Mesh,
    /// How far the limits of the contracts are stretched.
    pub limits: Limits,
    /// What operators may change about calls.
    pub tuning: Tuning,
    /// End-user tokens and passwords.
    pub auth: Auth,
    /// Log lines.
    pub log: Log,
    /// Export of traces.
    pub otel: Otel,
    /// Settings of single domains, read by them at their start.
    #[serde(default)]
    pub domains: Domains,
}

impl Config {
    /// Reads all layers and checks them.
    ///
    /// # Errors
    ///
    /// The first setting that is unknown or malformed, or a file that cannot be read.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        load::load(sources)
    }

    /// The keys in Consul that must be read before [`Config::load`] can be; nothing if no setting names
    /// one. What they hold goes into [`Sources::consul`].
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn consul_keys(sources: &Sources) -> Result<Option<ConsulKeys>, ConfigError> {
        load::consul_keys(sources)
    }

    /// Whether domains of other processes are found by asking a registry or name servers, so that no
    /// setting needs to say where each is.
    pub const fn finds_domains(&self) -> bool {
        self.consul.address.is_some() || self.dns.name.is_some()
    }

    /// The folder of certificates: `mesh.certificates`, or else `certificates` in the data directory.
    pub fn certificates(&self) -> PathBuf {
        self.mesh.certificates.clone().unwrap_or_else(|| self.data_dir.join("certificates"))
    }
}

impl Default for Config {
    /// The defaults of the settings table, with no file, variable or flag.
    #[allow(clippy::expect_used, reason = "the defaults are part of this crate, and a test reads them")]
    fn default() -> Self {
        load::defaults().expect("the defaults of the settings table are valid")
    }
}
