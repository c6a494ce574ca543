//! What keeps a process from starting: one sentence that names it.

use std::{io, net::SocketAddr, path::PathBuf};

use weft_blob::BlobError;
use weft_cache::CacheError;
use weft_config::ConfigError;
use weft_discovery::{ConsulError, DnsError};
use weft_events::CarrierError;
use weft_jobs::ScheduleError;
use weft_reload::AgentError;
use weft_seal::KeyError;
use weft_store::StoreError;
use weft_transport::TransportError;
use weft_workload_identity::IdentityError;

use crate::runtime::UnknownName;

/// What keeps a process from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting of a domain is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A database cannot be used.
    #[error("the store of {domain}: {source}")]
    Store {
        /// Whose.
        domain: &'static str,
        /// Why.
        source: StoreError,
    },
    /// The databases cannot be opened.
    #[error(transparent)]
    Databases(StoreError),
    /// A schema is older than this binary.
    #[error("the database of {domain} lacks migrations ({pending}): run `weft migrate`")]
    MigrationsPending {
        /// Whose.
        domain: &'static str,
        /// Which.
        pending: String,
    },
    /// The certificates cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Certificates are to come from Consul, and nothing says where that is.
    #[error("mesh.certificates_from is consul: set consul.address")]
    CertificatesFromNowhere,
    /// A server or client cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The registry cannot be used.
    #[error("consul: {0}")]
    Consul(#[from] ConsulError),
    /// The settings for the Consul agent do not suit each other.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Name servers cannot be used.
    #[error("dns: {0}")]
    Dns(#[from] DnsError),
    /// Two registries are set.
    #[error("consul.address and dns.name are both set: domains are found by one of them")]
    TwoRegistries,
    /// A port cannot be listened on.
    #[error("{what} cannot listen on {address}: {source} (setting {setting})")]
    Listen {
        /// Who.
        what: String,
        /// Where.
        address: SocketAddr,
        /// The setting that moves it.
        setting: String,
        /// Why.
        source: io::Error,
    },
    /// A domain calls another that is neither in this process nor named by the configuration.
    #[error(
        "{domain} calls {callee}, which is not in this process: set mesh.upstreams.{callee} to its HOST:PORT, \
         or consul.address or dns.name"
    )]
    UpstreamUnknown {
        /// Who calls.
        domain: &'static str,
        /// Whom.
        callee: String,
    },
    /// A replica is set, and nothing where processes see who wrote what.
    #[error("database.replica_url needs redis.url: by it all processes know whose writes a replica must have")]
    ReplicaWithoutRedis,
    /// Redis cannot be used.
    #[error(transparent)]
    Redis(CacheError),
    /// Events cannot be carried.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// Who publishes and who handles an event are in two processes, and nothing carries it.
    #[error("{topic} goes from {publisher} to {consumer}, only one of which is in this process: set events.url")]
    EventsInProcess {
        /// The event's topic.
        topic: &'static str,
        /// Who publishes it.
        publisher: &'static str,
        /// Who handles it.
        consumer: &'static str,
    },
    /// Two domains of one process have one name.
    #[error("the domain {0} is registered twice")]
    DomainTwice(&'static str),
    /// The keys that seal secrets cannot be read.
    #[error("seal.key or seal.previous_keys: {0}")]
    SealKey(KeyError),
    /// The laptop's own key cannot be kept.
    #[error("the key {} that seals secrets cannot be read or made: {source} (setting seal.key)", file.display())]
    SealFile {
        /// Where.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The place for files cannot be used.
    #[error("blobs.url: {0}")]
    Blobs(BlobError),
    /// A bucket is named, and not who asks it.
    #[error("blobs.url names a bucket: set {0}")]
    BucketKeys(&'static str),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// Two jobs of a domain have one name.
    #[error("{domain} has two jobs {job}")]
    JobTwice {
        /// Whose.
        domain: &'static str,
        /// Which.
        job: &'static str,
    },
    /// A job would never be due.
    #[error("the job {job} of {domain}: {source}")]
    Schedule {
        /// Whose.
        domain: &'static str,
        /// Which.
        job: &'static str,
        /// Why.
        source: ScheduleError,
    },
    /// A rule about callers names what nobody knows.
    #[error(transparent)]
    CallerRule(#[from] UnknownName),
    /// Something of the domain's own.
    #[error("{domain} cannot start: {reason}")]
    Domain {
        /// Which.
        domain: &'static str,
        /// Why.
        reason: String,
    },
}
