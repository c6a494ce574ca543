//! One connection: resolve, TCP, mutual TLS.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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
use weft_discovery::{Endpoint, Resolver};

/// Opens connections to one domain. Its endpoints are asked for anew each time, and taken in turn.
#[derive(Clone)]
pub(super) struct Connector {
    domain: Arc<str>,
    resolver: Arc<dyn Resolver>,
    tls: TlsConnector,
    timeout: Duration,
    turn: Arc<AtomicUsize>,
}

impl Connector {
    pub(super) fn new(domain: &str, resolver: Arc<dyn Resolver>, tls: Arc<ClientConfig>, timeout: Duration) -> Self {
        Self { domain: domain.into(), resolver, tls: tls.into(), timeout, turn: Arc::default() }
    }

    fn next_endpoint(&self) -> io::Result<Endpoint> {
        let mut endpoints = self.resolver.endpoints(&self.domain);
        if endpoints.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no address of the domain {} is known", self.domain)));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % endpoints.len();
        Ok(endpoints.swap_remove(turn))
    }

    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let Endpoint { host, port, .. } = self.next_endpoint()?;
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
