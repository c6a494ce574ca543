//! Where connections are made and taken.
//!
//! Rule: the stacks ask a [`Dialer`] for connections and a [`Listener`] for those that come, and put
//! mutual TLS on what they get: there is no connection without it. Services use the operating
//! system's TCP ([`Tcp`] and tokio's listener); the simulation brings a network of its own. A
//! connection that is dialled costs one box, and a virtual call for each read and write.
//!
//! What is written waits with the writer and not with the system: in the system's buffer, which grows to megabytes, what is
//! urgent would wait behind what was written before it, and a peer that reads nothing would be sent megabytes in vain.

use std::{io, net::SocketAddr};

#[cfg(target_os = "linux")]
use socket2::SockRef;
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

/// What the system may hold that it has not sent, in bytes. What is under way to the peer is not counted, so that it bounds
/// no connection's speed.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// Readies a connection for messages: what is written leaves at once, and no more is taken than can leave soon.
pub fn ready(tcp: &TcpStream) -> io::Result<()> {
    // Without it a frame waits for the last one's acknowledgement.
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(tcp).set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

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
            ready(&tcp)?;
            Ok(Box::new(tcp) as Box<dyn Socket>)
        })
    }
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (tcp, from) = Self::accept(self).await?;
        // A peer that is gone again by now is no fault of the listener's.
        if let Err(error) = ready(&tcp) {
            tracing::debug!(%error, %from, "a connection has ended already");
        }
        Ok((tcp, from))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::{net::Ipv4Addr, time::Duration};

    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_sent_little() {
        /// What the peer's system takes for it: twice this, as Linux counts.
        const TAKEN: u32 = 64 * 1024;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let peer = TcpSocket::new_v4().unwrap();
        peer.set_recv_buffer_size(TAKEN).unwrap();
        let connecting = peer.connect(listener.local_addr().unwrap());
        let (accepted, _peer) = tokio::join!(Listener::accept(&listener), connecting);
        let (tcp, _) = accepted.unwrap();
        let (piece, mut written) = ([0; 16 * 1024], 0);
        while tokio::time::timeout(Duration::from_millis(200), tcp.writable()).await.is_ok() {
            // An error says that it was not writable after all.
            written += tcp.try_write(&piece).unwrap_or_default();
            assert!(written < 4 * (TAKEN + UNSENT) as usize, "{written} bytes");
        }
        assert!(written > 0);
    }
}
