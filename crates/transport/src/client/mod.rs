//! The client side: calls to other domains.

mod balance;
mod breaker;
mod connect;
mod load;
mod remote;
mod retry;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tonic::transport::Endpoint;
use tower::ServiceExt;
use weft_call::{Error, MeshReason, Upstream};
use weft_discovery::Resolver;
use weft_telemetry::Metrics;
use weft_workload_identity::{CertificateSource, WorkloadName, client_config};

use crate::{
    error::TransportError,
    socket::{Dialer, Tcp},
    status::{is_timeout, late},
};
use balance::Balancer;
use connect::Connector;
use remote::Remote;
use retry::RetryBudget;

/// The body of a forwarded answer.
pub type ForwardBody = tonic::body::Body;

/// How connections to other domains behave.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// For name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// An idle connection is probed this often.
    pub keep_alive_interval: Duration,
    /// A probe that is not answered for so long ends the connection.
    pub keep_alive_timeout: Duration,
    /// Largest message that is read, in bytes.
    pub message_limit: usize,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            message_limit: 4 * 1024 * 1024,
        }
    }
}

/// The connections of one workload to the domains that it calls. Cloning it shares them.
#[derive(Clone)]
pub struct Upstreams(Arc<Shared>);

struct Shared {
    own: WorkloadName,
    resolver: Arc<dyn Resolver>,
    dialer: Arc<dyn Dialer>,
    certificates: Arc<dyn CertificateSource>,
    metrics: Metrics,
    settings: UpstreamSettings,
    domains: Mutex<HashMap<String, Domain>>,
}

/// The ways to one domain, and the retries that its callers here share.
#[derive(Clone)]
struct Domain {
    balancer: Arc<Balancer>,
    retries: Arc<RetryBudget>,
}

impl Upstreams {
    /// For the workload `own`. Nothing is connected before it is called.
    pub fn new(
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        certificates: Arc<dyn CertificateSource>,
        metrics: Metrics,
        settings: UpstreamSettings,
    ) -> Self {
        Self::over(Arc::new(Tcp), own, resolver, certificates, metrics, settings)
    }

    /// The same over another network than the operating system's.
    pub fn over(
        dialer: Arc<dyn Dialer>,
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        certificates: Arc<dyn CertificateSource>,
        metrics: Metrics,
        settings: UpstreamSettings,
    ) -> Self {
        Self(Arc::new(Shared { own, resolver, dialer, certificates, metrics, settings, domains: Mutex::default() }))
    }

    /// A domain as a client sees it. That the domain exists is found out when it is called.
    pub fn upstream(&self, domain: &str) -> Result<Arc<dyn Upstream>, TransportError> {
        let Domain { balancer, retries } = self.domain(domain)?;
        Ok(Arc::new(Remote::new(balancer, self.0.metrics.clone(), retries, self.0.settings.message_limit)))
    }

    /// Sends a gRPC request to a domain as it is, its body unread: for the edge. The caller has
    /// written the call's metadata.
    pub async fn forward<B>(&self, domain: &str, request: http::Request<B>) -> Result<http::Response<ForwardBody>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let balancer = self.domain(domain).map_err(Error::internal)?.balancer;
        // What passes unread may not be sent again, so it probes nobody.
        let picked = balancer.pick(false).ok_or_else(|| unknown(domain))?;
        let _under_way = picked.under_way();
        let failed = |error: tonic::transport::Error| {
            let unreachable = || Error::new(MeshReason::UpstreamUnavailable, format!("{domain} cannot be reached"));
            if is_timeout(&error) { late() } else { unreachable() }.with_source(error)
        };
        let result = picked.channel().oneshot(request.map(tonic::body::Body::new)).await.map_err(failed);
        picked.observe(result.as_ref().map(drop));
        result
    }

    fn domain(&self, domain: &str) -> Result<Domain, TransportError> {
        let mut domains = self.0.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = domains.get(domain) {
            return Ok(known.clone());
        }
        let opened = Domain { balancer: Arc::new(self.balancer(domain)?), retries: Arc::new(RetryBudget::new()) };
        domains.insert(domain.to_owned(), opened.clone());
        Ok(opened)
    }

    fn balancer(&self, domain: &str) -> Result<Balancer, TransportError> {
        let Shared { own, resolver, dialer, certificates, settings, .. } = &*self.0;
        let peer: WorkloadName = domain.parse()?;
        let tls = client_config(Arc::clone(certificates), own, &peer)?;
        let (dialer, settings) = (Arc::clone(dialer), settings.clone());
        let open = move |endpoint: &weft_discovery::Endpoint| {
            let connector = Connector::new(Arc::clone(&dialer), endpoint.clone(), Arc::clone(&tls), settings.connect_timeout);
            // The authority is never resolved or verified: the connector knows the way, and the peer
            // is proven by its SPIFFE id.
            Endpoint::from_static("http://mesh.invalid")
                .http2_keep_alive_interval(settings.keep_alive_interval)
                .keep_alive_timeout(settings.keep_alive_timeout)
                .keep_alive_while_idle(true)
                .initial_stream_window_size(1024 * 1024)
                .initial_connection_window_size(4 * 1024 * 1024)
                .connect_with_connector_lazy(connector)
        };
        Ok(Balancer::new(domain, resolver.watch(domain), Box::new(open)))
    }
}

/// Discovery names no endpoint of the domain.
fn unknown(domain: &str) -> Error {
    Error::new(MeshReason::UpstreamUnavailable, format!("no address of the domain {domain} is known"))
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstreams").field("own", &self.0.own).finish_non_exhaustive()
    }
}
