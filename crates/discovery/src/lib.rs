//! Where a domain is reached.
//!
//! Problem: callers name domains, sockets want addresses, and what lies between them differs from a
//! laptop to a cluster. Rule: whoever connects asks a [`Resolver`] at each new connection, so an
//! address that changes is picked up by the next one. Recovery: a domain that is not known yet is
//! an error of that connection alone; the next one asks again.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    str::FromStr,
    sync::{PoisonError, RwLock},
};

/// Where an instance of a domain listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// A host name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT")]
pub struct EndpointError(String);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Answers where a domain is. It is asked at each connection, so it answers from memory.
pub trait Resolver: Send + Sync + 'static {
    /// The domain's endpoints; none if it is not known (yet).
    fn endpoints(&self, domain: &str) -> Vec<Endpoint>;
}

/// The domains of this process, and those whose address the configuration states.
///
/// What the configuration states goes before what the process holds: that is how an operator moves
/// one domain elsewhere.
#[derive(Debug, Default)]
pub struct InProcess {
    stated: BTreeMap<String, Endpoint>,
    here: RwLock<BTreeMap<String, Endpoint>>,
}

impl InProcess {
    /// With the addresses that the configuration states.
    pub fn new(stated: BTreeMap<String, Endpoint>) -> Self {
        Self { stated, here: RwLock::default() }
    }

    /// Tells where a domain of this process listens.
    pub fn register(&self, domain: &str, endpoint: impl Into<Endpoint>) {
        self.here.write().unwrap_or_else(PoisonError::into_inner).insert(domain.to_owned(), endpoint.into());
    }

    /// Forgets a domain that has stopped.
    pub fn deregister(&self, domain: &str) {
        self.here.write().unwrap_or_else(PoisonError::into_inner).remove(domain);
    }
}

impl Resolver for InProcess {
    fn endpoints(&self, domain: &str) -> Vec<Endpoint> {
        let here = || self.here.read().unwrap_or_else(PoisonError::into_inner).get(domain).cloned();
        self.stated.get(domain).cloned().or_else(here).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_was_written() {
        for text in ["orders:8091", "127.0.0.1:1", "[::1]:8080"] {
            assert_eq!(text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "orders", ":1", "orders:", "orders:70000"] {
            assert_eq!(bad.parse::<Endpoint>(), Err(EndpointError(bad.to_owned())));
        }
    }

    #[test]
    fn a_stated_address_goes_before_the_process_own() {
        let stated = Endpoint { host: "elsewhere".to_owned(), port: 1 };
        let resolver = InProcess::new(BTreeMap::from([("orders".to_owned(), stated.clone())]));
        let here = SocketAddr::from(([127, 0, 0, 1], 2));
        resolver.register("orders", here);
        resolver.register("catalog", here);
        assert_eq!(resolver.endpoints("orders"), [stated]);
        assert_eq!(resolver.endpoints("catalog"), [here.into()]);
        resolver.deregister("catalog");
        assert!(resolver.endpoints("catalog").is_empty());
    }
}
