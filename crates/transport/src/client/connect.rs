//! How a connection comes to be: dialled, mutual TLS, then HTTP/2; or with TLS that proves the server alone, or without any, to
//! one outside of the mesh.

use std::{io, sync::Arc, time::Duration};

use http::uri::{Authority, Scheme};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};
use weft_call::BoxFuture;
use weft_discovery::Endpoint;

use super::{
    connection::{Connection, Origin},
    link::Way,
    roots::ALPN_HTTP2,
};
use crate::{socket::Dialer, tuning::LiveTuning};

/// HTTP/2 over mutual TLS to the endpoints of one domain.
pub(super) struct MutualTls {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) tuning: LiveTuning,
}

impl MutualTls {
    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Connection> {
        let tuning = self.tuning.load().connections.clone();
        let socket = self.dialer.dial(endpoint).await?;
        // The name is for the wire format only: the verifier looks at the SPIFFE id.
        let name = ServerName::try_from("mesh.invalid").map_err(io::Error::other)?;
        let proven = TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await?;
        // It is never resolved: the connection knows the way, and its peer is proven.
        let origin = Origin { scheme: Scheme::HTTPS, authority: Authority::from_static("mesh.invalid") };
        Connection::begin(proven, origin, Some(&tuning)).await.map_err(io::Error::other)
    }
}

impl Way for MutualTls {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(in_time(&self.tuning, endpoint, self.connect(endpoint)))
    }

    fn max_age(&self) -> Duration {
        self.tuning.load().connections.max_age
    }
}

/// HTTP/2 in plaintext, to a server that is none of the mesh's.
pub(super) struct Plaintext {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tuning: LiveTuning,
}

impl Plaintext {
    /// Its requests name the server as its clients know it. It is sent no pings: servers of other makes take them for an
    /// attack when they come more often than every few minutes (gRFC A8).
    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Connection> {
        let authority = Authority::try_from(endpoint.to_string()).map_err(io::Error::other)?;
        let socket = self.dialer.dial(endpoint).await?;
        Connection::begin(socket, Origin { scheme: Scheme::HTTP, authority }, None).await.map_err(io::Error::other)
    }
}

impl Way for Plaintext {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(in_time(&self.tuning, endpoint, self.connect(endpoint)))
    }

    fn max_age(&self) -> Duration {
        self.tuning.load().connections.max_age
    }
}

/// HTTP/2 over TLS to a server that is none of the mesh's: it is proven by its name.
pub(super) struct ServerTls {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) tuning: LiveTuning,
}

impl ServerTls {
    /// It is sent no pings, as in plaintext.
    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Connection> {
        let authority = Authority::try_from(endpoint.to_string()).map_err(io::Error::other)?;
        let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
        let socket = self.dialer.dial(endpoint).await?;
        let proven = TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await?;
        if proven.get_ref().1.alpn_protocol() != Some(ALPN_HTTP2) {
            return Err(io::Error::other(format!("{endpoint} speaks no HTTP/2 over TLS")));
        }
        Connection::begin(proven, Origin { scheme: Scheme::HTTPS, authority }, None).await.map_err(io::Error::other)
    }
}

impl Way for ServerTls {
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(in_time(&self.tuning, endpoint, self.connect(endpoint)))
    }

    fn max_age(&self) -> Duration {
        self.tuning.load().connections.max_age
    }
}

/// Gives a connection up that does not come to be in time.
async fn in_time(
    tuning: &LiveTuning,
    endpoint: &Endpoint,
    connecting: impl Future<Output = io::Result<Connection>>,
) -> io::Result<Connection> {
    let patience = tuning.load().connections.handshake;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{endpoint} did not answer in {patience:?}"));
    tokio::time::timeout(patience, connecting).await.map_err(|_| late())?
}
