//! Bare tonic: its generated client and server, over the same TLS and with the same HTTP/2 settings as weft's.

use std::{io, path::Path, time::Duration};

use futures_util::{Stream, TryStreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName, server::TlsStream};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use weft_workload_identity::{client_config, server_config};

use super::{BENCH, CALLER, ServerSettings};
use crate::contract::{
    EchoRequest, EchoResponse,
    tonic::{
        bench_client::BenchClient,
        bench_server::{Bench, BenchServer},
    },
};

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

struct Handler {
    work: Duration,
    fails: bool,
}

#[tonic::async_trait]
impl Bench for Handler {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        if self.fails {
            return Err(Status::unavailable("this endpoint fails"));
        }
        if !self.work.is_zero() {
            tokio::time::sleep(self.work).await;
        }
        let EchoRequest { id, quantity, content } = request.into_inner();
        Ok(Response::new(EchoResponse { id, quantity, content }))
    }
}

/// Serves on a free port.
pub(crate) async fn serve(settings: &ServerSettings) -> anyhow::Result<u16> {
    let handler = Handler { work: super::work(settings), fails: settings.fails };
    let router = Server::builder()
        .max_concurrent_streams(1024)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .add_service(BenchServer::new(handler));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    match &settings.certificates {
        Some(folder) => {
            let incoming = Box::pin(incoming(listener, folder)?);
            tokio::spawn(router.serve_with_incoming(incoming));
        }
        None => drop(tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))))),
    }
    Ok(port)
}

/// Connections, proven by TLS one after the other.
fn incoming(
    listener: TcpListener,
    folder: &Path,
) -> anyhow::Result<impl Stream<Item = io::Result<TlsStream<TcpStream>>> + use<>> {
    let tls = TlsAcceptor::from(server_config(super::certificates(folder)?, &BENCH.parse()?)?);
    let connections = stream::try_unfold(listener, async |listener| {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        io::Result::Ok(Some((tcp, listener)))
    });
    Ok(connections.and_then(move |tcp| tls.accept(tcp)))
}

fn endpoint(uri: String) -> anyhow::Result<Endpoint> {
    Ok(Endpoint::from_shared(uri)?
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// One connection.
pub(crate) fn client(port: u16, certificates: Option<&Path>) -> anyhow::Result<BenchClient<Channel>> {
    let endpoint = endpoint(format!("http://127.0.0.1:{port}"))?;
    let Some(folder) = certificates else { return Ok(BenchClient::new(endpoint.connect_lazy())) };
    let tls = TlsConnector::from(client_config(super::certificates(folder)?, &CALLER.parse()?, &BENCH.parse()?)?);
    let connector = tower::service_fn(move |_: http::Uri| {
        let tls = tls.clone();
        async move {
            let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("mesh.invalid").map_err(io::Error::other)?;
            io::Result::Ok(TokioIo::new(tls.connect(name, tcp).await?))
        }
    });
    Ok(BenchClient::new(endpoint.connect_with_connector_lazy(connector)))
}

/// tonic's own channel over several endpoints.
pub(crate) fn balanced(ports: &[u16]) -> anyhow::Result<BenchClient<Channel>> {
    let endpoints = ports.iter().map(|port| endpoint(format!("http://127.0.0.1:{port}"))).collect::<Result<Vec<_>, _>>()?;
    Ok(BenchClient::new(Channel::balance_list(endpoints.into_iter())))
}
