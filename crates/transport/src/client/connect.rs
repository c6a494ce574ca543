//! One connection: name resolution, TCP, mutual TLS.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};
use weft_discovery::Endpoint;

/// Opens connections to one endpoint of a domain.
#[derive(Clone)]
pub(super) struct Connector {
    endpoint: Endpoint,
    tls: TlsConnector,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>, timeout: Duration) -> Self {
        Self { endpoint, tls: tls.into(), timeout }
    }

    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let Endpoint { host, port, .. } = self.endpoint;
        let connecting = async {
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            tcp.set_nodelay(true)?;
            // The name is for the wire format only: the verifier looks at the SPIFFE id.
            let name = ServerName::try_from("mesh.invalid").map_err(io::Error::other)?;
            self.tls.connect(name, tcp).await
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{host}:{port} did not answer in {:?}", self.timeout));
        Ok(TokioIo::new(tokio::time::timeout(self.timeout, connecting).await.map_err(|_| late())??))
    }
}

impl tower::Service<http::Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
