//! One place where a domain answers.

use std::{fmt, net::SocketAddr, str::FromStr};

/// Where an instance of a domain listens, and what its registry says of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// A host name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The version that runs there, where the registry tells.
    pub version: Option<String>,
    /// The zone that it runs in, where the registry tells.
    pub zone: Option<String>,
    /// Its share of the calls beside the other instances' weights: 1 unless the registry tells. An
    /// instance of weight 0 wants none (RFC 2782 gives it few).
    pub weight: u16,
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT")]
pub struct EndpointError(String);

impl Endpoint {
    /// Of weight 1, with nothing else known of it.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, version: None, zone: None, weight: 1 }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self::new(host, port.parse().map_err(|_| wrong())?))
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
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
}
