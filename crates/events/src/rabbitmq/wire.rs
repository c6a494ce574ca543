//! Connections to RabbitMQ, in the clear or over TLS.
//!
//! Problem: the client's own TLS brings a second cryptographic provider. Rule: it gets a stream that is
//! connected and secured here, with the provider and the roots that all of the mesh has.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures_util::{
    Stream,
    io::{AsyncRead, AsyncWrite},
};
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    uri::{AMQPScheme, AMQPUri},
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::tls;

/// Either stream.
pub(super) trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

type Wire = Box<dyn Both>;

/// Connects and logs in.
pub(super) async fn connect(address: &AMQPUri) -> lapin::Result<Connection> {
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), Network(Tokio::current())));
    let properties = ConnectionProperties::default().with_connection_name("weft".into());
    let reach = async |address: AMQPUri, _| Ok(AsyncTcpStream::Plain(reach(&address).await?));
    Connection::connector(address.clone(), runtime, reach, properties).await
}

/// A stream to the server.
async fn reach(address: &AMQPUri) -> io::Result<Wire> {
    let authority = &address.authority;
    let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    stream.set_nodelay(true)?;
    if address.scheme == AMQPScheme::AMQP {
        return Ok(Box::new(stream.compat()));
    }
    let name = ServerName::try_from(authority.host.clone()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(tls::client())).connect(name, stream).await?;
    Ok(Box::new(stream.compat()))
}

/// The timers of Tokio, and streams that are reached above.
#[derive(Clone, Debug)]
struct Network(Tokio);

impl Reactor for Network {
    type TcpStream = Wire;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// Nothing registers sockets of its own.
    fn register<H: Send + 'static>(&self, _: H) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Wire, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    /// [`reach`] has done it.
    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
