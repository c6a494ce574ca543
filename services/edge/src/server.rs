//! The listener: accepts connections, bounds what strangers may use up, drains at the end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use weft_access::AssertionSigner;
use weft_call::{Client, Clock, Contract, Declares};
use weft_contracts_auth::{AuthClient, AuthContract};
use weft_telemetry::Metrics;
use weft_transcode::RequestOptions;
use weft_transport::Upstreams;

use crate::{
    authenticate::Authenticator, catalogue::Catalogue, cors::Origins, error::EdgeError, front::Front, grpc::OwnServices, health,
    issuer::Issuer, settings::Settings, websocket::Sessions,
};

/// After a connection could not be accepted, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What an edge is made of.
#[derive(Debug)]
pub struct Edge {
    /// What an operator has set.
    pub settings: Settings,
    /// The contracts of all domains that are registered, wherever they run.
    pub contracts: Vec<&'static Contract>,
    /// The ways to them, as the workload `edge`.
    pub upstreams: Upstreams,
    /// Vouches for users, as the workload `edge`.
    pub signer: AssertionSigner,
    /// The time of day by which tokens end.
    pub clock: Clock,
    /// Where requests are counted.
    pub metrics: Metrics,
}

/// An edge that serves. Dropping it stops it without waiting for requests under way.
#[derive(Debug)]
pub struct Running {
    /// The address that it listens on.
    pub local_addr: SocketAddr,
    stop: DropGuard,
    served: JoinHandle<()>,
}

impl Edge {
    /// Makes the tables, listens, and serves until it is told to stop.
    pub async fn start(self) -> Result<Running, EdgeError> {
        let Self { settings, contracts, upstreams, signer, clock, metrics } = self;
        let address = settings.address;
        let catalogue = ArcSwap::from_pointee(Catalogue::of_contracts(&contracts)?);
        let reporter = HealthReporter::new();
        health::begin(&reporter, &contracts).await;
        let own = OwnServices::new(&contracts, HealthServer::new(HealthService::from_health_reporter(reporter.clone())))?;
        let issuer = issuer(&contracts, &upstreams, &clock, &settings)?.map(Arc::new);
        let authenticator = Authenticator::new(signer, issuer.clone(), clock.clone());
        let refused = |source| EdgeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let asking = health::keep_asking(reporter, contracts, upstreams.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(asking));
        if let Some(issuer) = issuer {
            tokio::spawn(stop.clone().run_until_cancelled_owned(async move { issuer.keep_asking().await }));
        }
        let front = Front {
            request_options: request_options(&settings),
            origins: Origins::new(&settings.cors_origins),
            settings,
            catalogue,
            own,
            authenticator,
            upstreams,
            clock,
            metrics,
        };
        let served = tokio::spawn(accept(Arc::new(front), listener, stop.clone()));
        Ok(Running { local_addr, stop: stop.drop_guard(), served })
    }
}

/// The strict ones, within the limits that are set.
fn request_options(settings: &Settings) -> RequestOptions {
    let mut options = RequestOptions::default();
    options.json.limits.input = settings.max_body;
    options
}

/// What the auth domain publishes, if it is registered.
fn issuer(
    contracts: &[&'static Contract],
    upstreams: &Upstreams,
    clock: &Clock,
    settings: &Settings,
) -> Result<Option<Issuer>, EdgeError> {
    let auth = AuthContract::CONTRACT;
    if !contracts.iter().any(|contract| contract.package == auth.package) {
        return Ok(None);
    }
    let client = AuthClient::over(upstreams.upstream(auth.domain)?);
    Ok(Some(Issuer::new(client, clock.clone(), settings)))
}

impl Running {
    /// Takes no new requests, gives those under way the time that is set for draining, and ends.
    pub async fn shutdown(self) {
        self.stop.disarm().cancel();
        if let Err(error) = self.served.await {
            tracing::error!(%error, "the edge did not drain");
        }
    }
}

async fn accept(front: Arc<Front>, listener: TcpListener, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(front.settings.max_connections));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    let next = async || {
        // Without a free place the connection waits in the listener's queue.
        let place = Arc::clone(&places).acquire_owned().await;
        (listener.accept().await, place)
    };
    while let Some((accepted, place)) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, peer)) => {
                let served = serve(Arc::clone(&front), stream, peer, stop.clone());
                let cut = cut.clone();
                connections.spawn(async move {
                    cut.run_until_cancelled(served).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(front.settings.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not end in the time for draining and are cut");
        cut.cancel();
        connections.wait().await;
    }
}

async fn serve(front: Arc<Front>, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection ended before it was served");
        return;
    }
    let patience = front.settings.header_timeout;
    let builder = builder(&front.settings);
    let spoken = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&spoken);
    let sessions = Sessions::new(stop.clone());
    let upgrades = sessions.clone();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(upgrades.clone());
        says.store(true, Ordering::Relaxed);
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request, peer).await) }
    });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // hyper counts the time for a header from its first byte on; this counts from the connection on.
    let silence = async {
        tokio::time::sleep(patience).await;
        if spoken.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = silence => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, %peer, "a connection ended with an error");
    }
    sessions.serve().await;
}

fn builder(settings: &Settings) -> auto::Builder<TokioExecutor> {
    /// What hyper needs at least for a header.
    const LEAST: usize = 8 * 1024;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header.max(LEAST));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.max_header).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.max_streams)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
