//! How the domains of a process find others, and are found.
//!
//! What the configuration states goes first, then the domains of this process, then Consul if it is
//! set. In Consul each domain stands from the moment it serves to the moment it drains, healthy while
//! its records answer.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task::JoinSet, time::timeout};
use weft_config::Config;
use weft_discovery::{Consul, ConsulSettings, Endpoint, InProcess, Layered, Registration, Resolver, Service, Static};
use weft_store::Store;

use crate::StartError;

/// A registry that does not answer within this is waited for no longer: calls will tell.
const LOCATE_LIMIT: Duration = Duration::from_secs(3);

/// Where domains are.
pub(crate) struct Discovery {
    here: Arc<InProcess>,
    resolver: Arc<dyn Resolver>,
    registry: Option<Registry>,
}

/// What this process says of itself, and to whom.
struct Registry {
    consul: Arc<Consul>,
    settings: weft_config::Consul,
    registrations: Mutex<Vec<Registration>>,
}

impl Discovery {
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let here = Arc::new(InProcess::default());
        let stated: Arc<dyn Resolver> = Arc::new(Static::new(stated(config)));
        let registry = Registry::new(config.consul.clone())?;
        let resolver = match &registry {
            Some(registry) => Layered::new(vec![stated, Arc::clone(&here) as _], Arc::clone(&registry.consul) as _),
            None => Layered::new(vec![stated], Arc::clone(&here) as _),
        };
        Ok(Self { here, resolver: Arc::new(resolver), registry })
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::clone(&self.resolver)
    }

    /// The registry that is shared with other processes, if there is one.
    pub(crate) fn registry(&self) -> Option<Arc<Consul>> {
        self.registry.as_ref().map(|registry| Arc::clone(&registry.consul))
    }

    /// Tells the domains of this process about one of them.
    pub(crate) fn register(&self, domain: &str, address: SocketAddr) {
        self.here.register(domain, address);
    }

    /// Tells everyone about a domain that serves.
    pub(crate) fn announce(&self, store: Store, addresses: &BTreeMap<&'static str, SocketAddr>) {
        if let (Some(registry), Some(address)) = (&self.registry, addresses.get(store.domain())) {
            registry.announce(store, *address);
        }
    }

    /// Takes the domains of this process out of the registry.
    pub(crate) async fn withdraw(&self) {
        let Some(registry) = &self.registry else { return };
        let registrations = std::mem::take(&mut *registry.registrations.lock().unwrap_or_else(PoisonError::into_inner));
        registrations.into_iter().map(Registration::deregister).collect::<JoinSet<()>>().join_all().await;
    }

    /// Asks the registry about domains, and waits for its first answer about each.
    pub(crate) async fn locate<D: AsRef<str>>(&self, domains: impl IntoIterator<Item = D>) {
        if self.registry.is_none() {
            return;
        }
        let asked: Vec<_> = domains.into_iter().map(|domain| self.resolver.watch(domain.as_ref())).collect();
        let answered = async {
            for mut watch in asked {
                // Known already, or the resolver has ended: nothing to wait for.
                if watch.borrow().is_empty() {
                    let _ = watch.changed().await;
                }
            }
        };
        if timeout(LOCATE_LIMIT, answered).await.is_err() {
            tracing::warn!("discovery has not answered about every domain that is called from here");
        }
    }
}

impl Registry {
    fn new(settings: weft_config::Consul) -> Result<Option<Self>, StartError> {
        let Some(address) = settings.address.clone() else { return Ok(None) };
        let reached = ConsulSettings { address, token: settings.token.clone(), ca_file: settings.ca_file.clone() };
        Ok(Some(Self { consul: Arc::new(Consul::new(&reached)?), settings, registrations: Mutex::default() }))
    }

    fn announce(&self, store: Store, address: SocketAddr) {
        let listening = Some(address.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
        let service = Service {
            domain: store.domain().to_owned(),
            host: self.settings.advertise.clone().or(listening),
            port: address.port(),
            tags: self.settings.tags.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            zone: self.settings.zone.clone(),
            weight: 1,
        };
        let health = move || {
            let store = store.clone();
            async move { store.ping().await.is_ok() }
        };
        let registration = self.consul.register(service, health);
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner).push(registration);
    }
}

fn stated(config: &Config) -> BTreeMap<String, Endpoint> {
    let endpoint = |(name, at): (&String, &weft_config::HostPort)| {
        // A URL writes an IPv6 address in brackets; a socket's address has none.
        let host = at.host().to_string();
        (name.clone(), Endpoint::new(host.trim_matches(['[', ']']), at.port()))
    };
    config.mesh.upstreams.iter().map(endpoint).collect()
}
