//! Where connections are made and taken.
//!
//! Rule: the stacks ask a [`Dialer`] for connections and a [`Listener`] for those that come, and put
//! mutual TLS on what they get: there is no connection without it. Services use the operating
//! system's TCP ([`Tcp`] and tokio's listener); the simulation brings a network of its own. A
//! connection that is dialled costs one box, and a virtual call for each read and write.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use weft_call::BoxFuture;
use weft_discovery::Endpoint;

/// What the other end may send ahead on one stream, in bytes.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// What it may send ahead on all streams of a connection: the most there is (RFC 9113 section 6.9.1). A bound here would let a
/// few streams that nobody reads hold up all others of the connection; memory is bounded by the streams and their windows.
pub(crate) const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// A connection, before TLS.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// Opens connections.
pub trait Dialer: Send + Sync + 'static {
    /// Opens a connection to the endpoint; the caller watches the time.
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Socket>>>;
}

/// Takes connections.
pub trait Listener: Send + 'static {
    /// What it takes.
    type Socket: Socket;

    /// The next connection, and where it comes from.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// TCP of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Dialer for Tcp {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            tcp.set_nodelay(true)?;
            Ok(Box::new(tcp) as Box<dyn Socket>)
        })
    }
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (tcp, from) = Self::accept(self).await?;
        // Without it a frame waits for the last one's acknowledgement. A peer that is gone again by
        // now is no fault of the listener's.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, %from, "a connection has ended already");
        }
        Ok((tcp, from))
    }
}
