//! The simulated network as the transport's sockets.

use std::{io, net::SocketAddr};

use weft_call::BoxFuture;
use weft_discovery::Endpoint;
use weft_transport::{Dialer, Listener, Socket};

/// Opens connections of the simulation that runs on this thread.
pub(crate) struct SimulatedDialer;

impl Dialer for SimulatedDialer {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let tcp = turmoil::net::TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            Ok(Box::new(tcp) as Box<dyn Socket>)
        })
    }
}

/// Takes connections of the simulation that runs on this thread.
pub(crate) struct SimulatedListener(turmoil::net::TcpListener);

impl SimulatedListener {
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        turmoil::net::TcpListener::bind(("0.0.0.0", port)).await.map(Self)
    }
}

impl Listener for SimulatedListener {
    type Socket = turmoil::net::TcpStream;

    async fn accept(&self) -> io::Result<(Self::Socket, SocketAddr)> {
        self.0.accept().await
    }
}
