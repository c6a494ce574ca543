//! The edge beside the domains of a process.

use std::{net::SocketAddr, sync::Arc};

use weft_access::{AssertionSigner, EDGE};
use weft_cache::{Counters, InProcess, Redis};
use weft_call::Contract;
use weft_config::{Config, Reference};
use weft_edge::{Edge, EdgeError, Settings, TlsFiles};
use weft_mesh::{Running, StartError};
use weft_transport::TransportError;

use crate::failure::Failure;

/// The domain that issues access tokens.
const AUTH: &str = "auth";

/// Starts the edge for all domains that are in this process or that `mesh.upstreams` names; for all
/// there are if a registry knows where they are.
pub(crate) async fn start(running: &Running) -> Result<weft_edge::Running, Failure> {
    let contracts = reachable(running)?;
    running.locate(contracts.iter().map(|contract| contract.domain)).await;
    let edge = Edge {
        settings: settings(running.config())?,
        contracts,
        upstreams: running.upstreams(EDGE)?,
        signer: AssertionSigner::new(running.certificates(), EDGE.parse().map_err(TransportError::Name)?),
        clock: running.clock().clone(),
        metrics: running.metrics().clone(),
        counters: counters(running.config())?,
        limit_factors: running.limit_factors(),
    };
    edge.start().await.map_err(named)
}

/// What the configuration says of an edge.
pub(crate) fn settings(config: &Config) -> Result<Settings, Failure> {
    let edge = &config.edge;
    let tls = match (&edge.certificate_file, &edge.key_file) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        (None, None) => None,
        _ => return Err(Failure::EdgeCertificateAlone),
    };
    Ok(Settings {
        address: edge.listen(),
        tls,
        max_body: edge.max_body.bytes(),
        max_header: edge.max_header.bytes(),
        max_url: edge.max_url.bytes(),
        max_headers: edge.max_headers,
        handshake_timeout: edge.handshake_timeout,
        header_timeout: edge.header_timeout,
        idle_timeout: edge.idle_timeout,
        drain_timeout: edge.drain_timeout,
        max_connections: edge.max_connections.get(),
        max_connections_per_address: edge.max_connections_per_address,
        max_streams: edge.max_streams,
        max_resets: edge.max_resets.get(),
        trusted_proxies: edge.trusted_proxies.clone(),
        reference: edge.reference == Reference::On,
        cors_origins: edge.cors_origins.clone(),
        ..Settings::default()
    })
}

/// Where calls are counted: in the Redis that several edges share, or here.
fn counters(config: &Config) -> Result<Arc<dyn Counters>, Failure> {
    match &config.redis.url {
        Some(url) => Ok(Arc::new(Redis::trusted_by(url, config.redis.ca.as_deref())?)),
        None => Ok(Arc::new(InProcess::new())),
    }
}

fn reachable(running: &Running) -> Result<Vec<&'static Contract>, Failure> {
    if running.config().finds_domains() {
        return Ok(running.contracts().to_vec());
    }
    let upstreams = &running.config().mesh.upstreams;
    let is_reachable =
        |contract: &&Contract| running.addresses().contains_key(contract.domain) || upstreams.contains_key(contract.domain);
    let (served, left): (Vec<_>, Vec<_>) = running.contracts().iter().copied().partition(is_reachable);
    if served.is_empty() {
        return Err(Failure::NothingToServe);
    }
    check_auth(&served, &left)?;
    for contract in left {
        let domain = contract.domain;
        tracing::warn!(domain, "not served by the edge: it is not in this process and not set in mesh.upstreams");
    }
    Ok(served)
}

/// Without the domain that issues access tokens every call that needs one would be refused, and
/// nothing would say why.
fn check_auth(served: &[&'static Contract], left: &[&'static Contract]) -> Result<(), StartError> {
    let methods = served.iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
    let needs_tokens = methods.into_iter().any(|method| method.serves_users() && !method.access.public);
    if needs_tokens && left.iter().any(|contract| contract.domain == AUTH) {
        return Err(StartError::UpstreamUnknown { domain: EDGE, callee: AUTH.to_owned() });
    }
    Ok(())
}

/// A port that is taken is told with the setting that moves it.
pub(crate) fn named(error: EdgeError) -> Failure {
    match error {
        EdgeError::Listen { address, source } => listen(address, source).into(),
        other => other.into(),
    }
}

fn listen(address: SocketAddr, source: std::io::Error) -> StartError {
    StartError::Listen { what: "the edge".to_owned(), address, setting: "edge.port".to_owned(), source }
}
