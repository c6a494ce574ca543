//! Domains by DNS: headless Services of Kubernetes, or any zone with address or SRV records.
//!
//! Problem: the system's resolver is asked once a connection and knows no time to live, so callers
//! either miss changes or ask all the time. Rule: a domain that somebody asks for is looked up when
//! the time to live of its records is over, within [`DnsSettings::floor`] and
//! [`DnsSettings::ceiling`]. Recovery: while no name server answers, the last known endpoints stay,
//! one warning is logged, and [`Dns::is_stale`] says so. A name server that says that there are no
//! records is believed.

mod lookup;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{TokioResolver, net::NetError};
use tokio::{sync::watch, time::sleep};

use crate::{Endpoints, Resolver, backoff::Backoff, followed::Followed};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(15);

/// What stands for the domain in a name.
const DOMAIN: &str = "{domain}";

/// What is asked for a domain. `{domain}` in a name stands for the domain; a name that ends with a dot
/// is complete, others are completed by the system's search list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A and AAAA records, all instances on one port: `{domain}.weft.svc.cluster.local.`
    Address {
        /// The name.
        name: String,
        /// The TCP port of every instance.
        port: u16,
    },
    /// SRV records (RFC 2782), with a port and a weight each: `_grpc._tcp.{domain}.weft.svc.cluster.local.`
    /// Only targets of the lowest priority number are used.
    Service {
        /// The name.
        name: String,
    },
}

/// How domains are looked up.
#[derive(Clone, Debug)]
pub struct DnsSettings {
    /// What is asked.
    pub question: Question,
    /// Name servers; those of the system if there are none here.
    pub servers: Vec<SocketAddr>,
    /// Records are kept at least this long, whatever their time to live; also how long it is believed
    /// that there are none.
    pub floor: Duration,
    /// Records are kept at most this long.
    pub ceiling: Duration,
}

impl DnsSettings {
    /// With the name servers of the system, asking at most once a second and at least every 30.
    pub const fn new(question: Question) -> Self {
        Self { question, servers: Vec::new(), floor: Duration::from_secs(1), ceiling: Duration::from_secs(30) }
    }
}

/// Why DNS cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The name is the same for every domain.
    #[error("the name {0:?} holds no {{domain}}: every domain would be the same")]
    Name(String),
    /// The bounds contradict each other.
    #[error("the floor {floor:?} of times to live is zero or above the ceiling {ceiling:?}")]
    Bounds {
        /// The floor.
        floor: Duration,
        /// The ceiling.
        ceiling: Duration,
    },
    /// The system's settings cannot be read, or name no server.
    #[error("the system's name servers cannot be had: {0}")]
    System(#[from] NetError),
}

/// The instances that DNS knows of. Domains are followed from the first time that they are asked for
/// until this is dropped.
#[derive(Debug)]
pub struct Dns {
    zone: Arc<Zone>,
    followed: Followed,
}

struct Zone {
    resolver: TokioResolver,
    settings: DnsSettings,
    failing: Mutex<BTreeSet<String>>,
}

impl Dns {
    /// Asks nobody yet. Must be called within a Tokio runtime.
    pub fn new(settings: DnsSettings) -> Result<Self, DnsError> {
        let (Question::Address { name, .. } | Question::Service { name }) = &settings.question;
        if !name.contains(DOMAIN) {
            return Err(DnsError::Name(name.clone()));
        }
        let DnsSettings { floor, ceiling, .. } = settings;
        if floor.is_zero() || floor > ceiling {
            return Err(DnsError::Bounds { floor, ceiling });
        }
        let resolver = lookup::resolver(&settings.servers)?;
        let zone = Zone { resolver, settings, failing: Mutex::default() };
        Ok(Self { zone: Arc::new(zone), followed: Followed::new() })
    }

    /// Whether what is known may be out of date, because no name server answers.
    pub fn is_stale(&self) -> bool {
        !self.zone.failing.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Resolver for Dns {
    fn watch(&self, domain: &str) -> watch::Receiver<Endpoints> {
        self.followed.receiver(domain, |sender| follow(Arc::clone(&self.zone), domain.to_owned(), sender))
    }
}

async fn follow(zone: Arc<Zone>, domain: String, endpoints: watch::Sender<Endpoints>) {
    let DnsSettings { question, floor, ceiling, .. } = &zone.settings;
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut is_first = true;
    loop {
        match lookup::lookup(&zone.resolver, question, &domain).await {
            Ok(found) => {
                zone.succeeded(&domain);
                backoff.succeeded();
                if is_first || *found.endpoints != **endpoints.borrow() {
                    endpoints.send_replace(found.endpoints.into());
                }
                is_first = false;
                sleep(found.ttl.clamp(*floor, *ceiling)).await;
            }
            Err(error) => {
                zone.failed(&domain, &error);
                sleep(backoff.failed()).await;
            }
        }
    }
}

impl Zone {
    /// One alarm an outage: a domain more that fails is no news.
    fn failed(&self, domain: &str, error: &NetError) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.is_empty() {
            tracing::warn!(domain, %error, "no name server answers: what was known last serves on");
        }
        failing.insert(domain.to_owned());
    }

    fn succeeded(&self, domain: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.remove(domain) && failing.is_empty() {
            tracing::info!("name servers answer again");
        }
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zone").field("settings", &self.settings).finish_non_exhaustive()
    }
}
