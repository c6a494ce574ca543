//! How the domains of a process find others, and are found.
//!
//! What the configuration states goes first, then the domains of this process, then Consul or DNS if
//! one of them is set. In Consul each domain stands from the moment it serves to the moment it drains, healthy while
//! its records answer.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{UdpSocket, lookup_host},
    task::JoinSet,
    time::timeout,
};
use weft_config::Config;
use weft_discovery::{
    Consul, ConsulSettings, Dns, DnsSettings, Endpoint, InProcess, Layered, Question, Registration, Resolver, Service, Static,
};
use weft_store::Store;

use crate::StartError;

/// A registry that does not answer within this is waited for no longer: calls will tell.
const LOCATE_LIMIT: Duration = Duration::from_secs(3);

/// Where domains are.
pub(crate) struct Discovery {
    here: Arc<InProcess>,
    resolver: Arc<dyn Resolver>,
    elsewhere: Option<Elsewhere>,
    consul: weft_config::Consul,
    /// Where others reach this process, if it listens on every address.
    own: Option<IpAddr>,
    registrations: Mutex<Vec<Registration>>,
}

/// Who knows the domains of other processes.
#[derive(Clone, Debug)]
pub(crate) enum Elsewhere {
    Consul(Arc<Consul>),
    Dns(Arc<Dns>),
}

impl Discovery {
    pub(crate) async fn new(config: &Config, agent: Option<&ConsulSettings>) -> Result<Self, StartError> {
        let own = match agent.map(|agent| (agent.address.host_str(), agent.address.port_or_known_default())) {
            Some((Some(host), Some(port))) => timeout(LOCATE_LIMIT, Box::pin(towards(host, port))).await.unwrap_or_default(),
            _ => None,
        };
        let here = Arc::new(InProcess::default());
        let stated: Arc<dyn Resolver> = Arc::new(Static::new(stated(config)));
        let elsewhere = Elsewhere::new(config, agent)?;
        let resolver = match &elsewhere {
            Some(elsewhere) => Layered::new(vec![stated, Arc::clone(&here) as _], elsewhere.resolver()),
            None => Layered::new(vec![stated], Arc::clone(&here) as _),
        };
        let (consul, registrations) = (config.consul.clone(), Mutex::default());
        Ok(Self { here, resolver: Arc::new(resolver), elsewhere, consul, own, registrations })
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::clone(&self.resolver)
    }

    /// Who knows the domains of other processes, if anybody does.
    pub(crate) fn elsewhere(&self) -> Option<Elsewhere> {
        self.elsewhere.clone()
    }

    /// Tells the domains of this process about one of them.
    pub(crate) fn register(&self, domain: &str, address: SocketAddr) {
        self.here.register(domain, address);
    }

    /// Tells everyone about a domain that serves. DNS is told by whoever runs the process.
    pub(crate) fn announce(&self, store: Store, addresses: &BTreeMap<&'static str, SocketAddr>) {
        let (Some(Elsewhere::Consul(consul)), Some(address)) = (&self.elsewhere, addresses.get(store.domain())) else { return };
        let service = self.service(store.domain(), *address);
        let health = move || {
            let store = store.clone();
            async move { store.ping().await.is_ok() }
        };
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner).push(consul.register(service, health));
    }

    fn service(&self, domain: &str, address: SocketAddr) -> Service {
        let listening = Some(address.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
        Service {
            domain: domain.to_owned(),
            host: self.consul.advertise.clone().or(listening).or(self.own.map(|ip| ip.to_string())),
            port: address.port(),
            tags: self.consul.tags.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            zone: self.consul.zone.clone(),
            weight: 1,
        }
    }

    /// Takes the domains of this process out of the registry.
    pub(crate) async fn withdraw(&self) {
        let registrations = std::mem::take(&mut *self.registrations.lock().unwrap_or_else(PoisonError::into_inner));
        registrations.into_iter().map(Registration::deregister).collect::<JoinSet<()>>().join_all().await;
    }

    /// Asks the registry about domains, and waits for its first answer about each.
    pub(crate) async fn locate<D: AsRef<str>>(&self, domains: impl IntoIterator<Item = D>) {
        if self.elsewhere.is_none() {
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

impl Elsewhere {
    fn new(config: &Config, agent: Option<&ConsulSettings>) -> Result<Option<Self>, StartError> {
        match (agent, &config.dns.name) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(StartError::TwoRegistries),
            (Some(agent), None) => Ok(Some(Self::Consul(Arc::new(Consul::new(agent)?)))),
            (None, Some(name)) => {
                let name = name.clone();
                let question = match config.dns.port {
                    Some(port) => Question::Address { name, port },
                    None => Question::Service { name },
                };
                let settings = DnsSettings { servers: config.dns.servers.clone(), ..DnsSettings::new(question) };
                Ok(Some(Self::Dns(Arc::new(Dns::new(settings)?))))
            }
        }
    }

    fn resolver(&self) -> Arc<dyn Resolver> {
        match self {
            Self::Consul(consul) => Arc::clone(consul) as _,
            Self::Dns(dns) => Arc::clone(dns) as _,
        }
    }

    /// Whether it does not answer, so that domains are where they were last known.
    pub(crate) fn is_stale(&self) -> bool {
        match self {
            Self::Consul(consul) => consul.is_stale(),
            Self::Dns(dns) => dns.is_stale(),
        }
    }
}

/// The address of this process that leads to an agent elsewhere. An agent on this machine knows the machine's own: none then.
async fn towards(host: &str, port: u16) -> Option<IpAddr> {
    let agent = lookup_host((host.trim_matches(['[', ']']), port)).await.ok()?.next()?;
    let any = if agent.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    // Over UDP a connection sends nothing; it asks for the route.
    let socket = UdpSocket::bind(any).await.ok()?;
    socket.connect(agent).await.ok()?;
    socket.local_addr().ok().map(|own| own.ip()).filter(|own| !own.is_loopback())
}

fn stated(config: &Config) -> BTreeMap<String, Endpoint> {
    let endpoint = |(name, at): (&String, &weft_config::HostPort)| {
        // A URL writes an IPv6 address in brackets; a socket's address has none.
        let host = at.host().to_string();
        (name.clone(), Endpoint::new(host.trim_matches(['[', ']']), at.port()))
    };
    config.mesh.upstreams.iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_agent_on_this_machine_knows_where_it_is_itself() {
        for host in ["127.0.0.1", "localhost"] {
            assert_eq!(towards(host, 8500).await, None);
        }
        assert_eq!(towards("nobody.invalid", 8500).await, None);
    }
}
