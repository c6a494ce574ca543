//! One connection: dialled, then mutual TLS.

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
use tonic::transport::Channel;
use weft_call::BoxFuture;
use weft_discovery::Endpoint;

use super::link::Way;
use crate::{
    socket::{self, Dialer, Socket},
    tuning::LiveTuning,
};

/// A connection that has proven who its ends are.
type Proven = TokioIo<TlsStream<Box<dyn Socket>>>;

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
        let (dialer, tls) = (Arc::clone(&self.dialer), Arc::clone(&self.tls).into());
        Connector { dialer, endpoint: endpoint.clone(), tls, timeout }
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
    tls: TlsConnector,
    timeout: Duration,
}

impl Connector {
    async fn connect(self) -> io::Result<Proven> {
        let connecting = async {
            let socket = self.dialer.dial(&self.endpoint).await?;
            // The name is for the wire format only: the verifier looks at the SPIFFE id.
            let name = ServerName::try_from("mesh.invalid").map_err(io::Error::other)?;
            self.tls.connect(name, socket).await
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{} did not answer in {:?}", self.endpoint, self.timeout));
        Ok(TokioIo::new(tokio::time::timeout(self.timeout, connecting).await.map_err(|_| late())??))
    }
}

impl tower::Service<http::Uri> for Connector {
    type Response = Proven;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
