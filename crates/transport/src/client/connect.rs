//! One connection: dialled, then mutual TLS; or as it is, to a server outside of the mesh.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};
use tokio_util::either::Either;
use tonic::transport::Channel;
use weft_call::BoxFuture;
use weft_discovery::Endpoint;

use super::link::Way;
use crate::{
    socket::{self, Dialer, Socket},
    tuning::LiveTuning,
};

/// A connection that has proven who its ends are, or one that was asked for in plaintext.
type Connection = TokioIo<Either<TlsStream<Box<dyn Socket>>, Box<dyn Socket>>>;

/// HTTP/2 over mutual TLS to the endpoints of one domain.
pub(super) struct MutualTls {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) tuning: LiveTuning,
}

impl MutualTls {
    fn http2(&self) -> tonic::transport::Endpoint {
        let connections = &self.tuning.load().connections;
        // The authority is never resolved or verified: the connector knows the way, and the peer is
        // proven by its SPIFFE id.
        tonic::transport::Endpoint::from_static("http://mesh.invalid")
            .http2_keep_alive_interval(connections.keep_alive_interval)
            .keep_alive_timeout(connections.keep_alive_timeout)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(socket::STREAM_WINDOW)
            .initial_connection_window_size(socket::CONNECTION_WINDOW)
    }

    fn connector(&self, endpoint: &Endpoint) -> Connector {
        let timeout = self.tuning.load().connections.handshake;
        let (dialer, tls) = (Arc::clone(&self.dialer), Some(Arc::clone(&self.tls).into()));
        Connector { dialer, endpoint: endpoint.clone(), tls, timeout }
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
    fn http2(endpoint: &Endpoint) -> tonic::transport::Endpoint {
        let server = tonic::transport::Endpoint::try_from(format!("http://{endpoint}"));
        server
            .unwrap_or_else(|_| tonic::transport::Endpoint::from_static("http://mesh.invalid"))
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
    }

    fn connector(&self, endpoint: &Endpoint) -> Connector {
        let timeout = self.tuning.load().connections.handshake;
        Connector { dialer: Arc::clone(&self.dialer), endpoint: endpoint.clone(), tls: None, timeout }
    }
}

impl Way for Plaintext {
    fn lazily(&self, endpoint: &Endpoint) -> Channel {
        Self::http2(endpoint).connect_with_connector_lazy(self.connector(endpoint))
    }

    fn at_once<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Channel, tonic::transport::Error>> {
        Box::pin(async move { Self::http2(endpoint).connect_with_connector(self.connector(endpoint)).await })
    }

    fn max_age(&self) -> Duration {
        self.tuning.load().connections.max_age
    }
}

impl Way for MutualTls {
    fn lazily(&self, endpoint: &Endpoint) -> Channel {
        self.http2().connect_with_connector_lazy(self.connector(endpoint))
    }

    fn at_once<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Channel, tonic::transport::Error>> {
        Box::pin(async move { self.http2().connect_with_connector(self.connector(endpoint)).await })
    }

    fn max_age(&self) -> Duration {
        self.tuning.load().connections.max_age
    }
}

/// Opens connections to one endpoint of a domain.
#[derive(Clone)]
struct Connector {
    dialer: Arc<dyn Dialer>,
    endpoint: Endpoint,
    /// None for plaintext.
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl Connector {
    async fn connect(self) -> io::Result<Connection> {
        let connecting = async {
            let socket = self.dialer.dial(&self.endpoint).await?;
            let Some(tls) = &self.tls else { return Ok(Either::Right(socket)) };
            // The name is for the wire format only: the verifier looks at the SPIFFE id.
            let name = ServerName::try_from("mesh.invalid").map_err(io::Error::other)?;
            tls.connect(name, socket).await.map(Either::Left)
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{} did not answer in {:?}", self.endpoint, self.timeout));
        Ok(TokioIo::new(tokio::time::timeout(self.timeout, connecting).await.map_err(|_| late())??))
    }
}

impl tower::Service<http::Uri> for Connector {
    type Response = Connection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
