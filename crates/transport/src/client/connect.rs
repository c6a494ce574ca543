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
use weft_discovery::Endpoint;

use crate::socket::{Dialer, Socket};

/// A connection that has proven who its ends are.
type Proven = TokioIo<TlsStream<Box<dyn Socket>>>;

/// Opens connections to one endpoint of a domain.
#[derive(Clone)]
pub(super) struct Connector {
    dialer: Arc<dyn Dialer>,
    endpoint: Endpoint,
    tls: TlsConnector,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(dialer: Arc<dyn Dialer>, endpoint: Endpoint, tls: Arc<ClientConfig>, timeout: Duration) -> Self {
        Self { dialer, endpoint, tls: tls.into(), timeout }
    }

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
