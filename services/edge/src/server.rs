//! An edge: what it is made of, how it starts, how it ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use weft_access::{AssertionSigner, LimitFactors};
use weft_cache::Counters;
use weft_call::{Client, Clock, Contract, Declares, MethodContract};
use weft_contracts_auth::{AuthClient, AuthContract};
use weft_telemetry::{Metrics, Side, SideMetrics};
use weft_transcode::RequestOptions;
use weft_transport::Upstreams;

use crate::{
    authenticate::Authenticator,
    catalogue::Catalogue,
    cors::Origins,
    error::EdgeError,
    front::Front,
    grpc::OwnServices,
    health,
    issuer::Issuer,
    listener::{self, Closing, tls::Certificates},
    proxies::Proxies,
    rate_limits::RateLimits,
    settings::Settings,
};

/// What an edge is made of.
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
    /// Where calls are counted against the limits of contracts: edges that are given the same share the limits.
    pub counters: Arc<dyn Counters>,
    /// By how much these limits are stretched.
    pub limit_factors: LimitFactors,
}

/// An edge that serves. Dropping it stops it without waiting for requests under way.
#[derive(Debug)]
pub struct Running {
    /// The address that it listens on.
    pub local_addr: SocketAddr,
    /// Whether clients speak TLS with it.
    pub is_tls: bool,
    leave: CancellationToken,
    farewell: Duration,
    stop: DropGuard,
    stopping: CancellationToken,
    served: JoinHandle<()>,
    front: Arc<Front>,
}

/// What an edge serves, as it is whenever it is asked.
#[derive(Clone, Debug)]
pub struct Served(Arc<Front>);

impl Served {
    /// The methods, in the order of their descriptors.
    pub fn methods(&self) -> Vec<&'static MethodContract> {
        self.0.catalogue.load().served().collect()
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Edge {
    /// Makes the tables, listens, and serves until it is told to stop.
    pub async fn start(self) -> Result<Running, EdgeError> {
        let Self { settings, contracts, upstreams, signer, clock, metrics, counters, limit_factors } = self;
        let limits = RateLimits::new(contracts.iter().copied(), counters, limit_factors);
        let catalogue = ArcSwap::from_pointee(Catalogue::of_contracts(&contracts)?);
        let reporter = HealthReporter::new();
        health::begin(&reporter, &contracts).await;
        let own = OwnServices::new(&contracts, HealthServer::new(HealthService::from_health_reporter(reporter.clone())))?;
        let issuer = issuer(&contracts, &upstreams, &clock, &settings)?.map(Arc::new);
        let authenticator = Authenticator::new(signer, issuer.clone(), clock.clone());
        let front = Front {
            leave: CancellationToken::new(),
            proxies: Proxies::new(&settings.trusted_proxies),
            request_options: request_options(&settings),
            origins: Origins::new(&settings.cors_origins),
            settings,
            catalogue,
            own: Some(own),
            authenticator: Some(authenticator),
            upstreams: upstreams.clone(),
            limits,
            clock,
            calls: Arc::new(SideMetrics::new(Side::Edge, metrics.clone())),
            metrics,
        };
        let running = run(Arc::new(front)).await?;
        running.beside(health::keep_asking(reporter, contracts, upstreams));
        if let Some(issuer) = issuer {
            running.beside(async move { issuer.keep_asking().await });
        }
        Ok(running)
    }
}

/// Listens, and serves until it is told to stop.
pub(crate) async fn run(front: Arc<Front>) -> Result<Running, EdgeError> {
    let certificates = front.settings.tls.clone().map(Certificates::open).transpose()?.map(Arc::new);
    let address = front.settings.address;
    let refused = |source| EdgeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let local_addr = listener.local_addr().map_err(refused)?;
    let closing = Closing { leave: front.leave.clone(), stop: CancellationToken::new() };
    let (leave, stop, is_tls) = (closing.leave.clone(), closing.stop.clone(), certificates.is_some());
    let farewell = front.settings.drain_timeout / 10;
    let served = tokio::spawn(listener::run(Arc::clone(&front), listener, certificates.clone(), closing));
    let running = Running { local_addr, is_tls, leave, farewell, stopping: stop.clone(), stop: stop.drop_guard(), served, front };
    if let Some(certificates) = certificates {
        running.beside(certificates.watch());
    }
    Ok(running)
}

/// The strict ones, within the limits that are set.
pub(crate) fn request_options(settings: &Settings) -> RequestOptions {
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
    /// What is served.
    pub fn served(&self) -> Served {
        Served(Arc::clone(&self.front))
    }

    /// What asks clients to go elsewhere from now on; those that come all the same are served. Connections end after what
    /// is under way on them.
    pub fn leaving(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// Does this for as long as the edge takes requests.
    pub(crate) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let working = self.stopping.clone().run_until_cancelled_owned(work);
        tokio::spawn(async move {
            working.await;
        });
    }

    /// Asks clients to go elsewhere, for a tenth of the time that is set for draining; then takes no new requests, gives
    /// those under way that time, and ends.
    pub async fn shutdown(self) {
        self.leave.cancel();
        tokio::time::sleep(self.farewell).await;
        self.stop.disarm().cancel();
        if let Err(error) = self.served.await {
            tracing::error!(%error, "the edge did not drain");
        }
    }
}
