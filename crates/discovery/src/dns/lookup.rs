//! One look-up, from a domain to endpoints and how long they hold.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType, rdata::SRV},
    },
};

use super::{DOMAIN, Question};
use crate::Endpoint;

/// More records than that are another program's mistake.
const MOST_TARGETS: usize = 1000;

/// What a look-up found.
#[derive(Debug)]
pub(super) struct Found {
    /// In one order, so that two answers can be compared.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) ttl: Duration,
}

/// Keeps nothing itself: when to ask again is decided above.
pub(super) fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let config = ResolverConfig::from_name_servers(servers.iter().copied().map(server).collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.cache_size = 0;
    builder.build()
}

fn server(address: SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = address.port();
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

pub(super) async fn lookup(resolver: &TokioResolver, question: &Question, domain: &str) -> Result<Found, NetError> {
    let mut found = match question {
        Question::Address { name, port } => addresses(resolver, &name.replace(DOMAIN, domain), *port).await?,
        Question::Service { name } => services(resolver, &name.replace(DOMAIN, domain)).await?,
    };
    found.endpoints.sort_unstable();
    found.endpoints.dedup();
    Ok(found)
}

/// Records of both families; one family alone will do, as most zones have but one.
async fn addresses(resolver: &TokioResolver, name: &str, port: u16) -> Result<Found, NetError> {
    let (v4, v6) = tokio::try_join!(ask(resolver, name, RecordType::A), ask(resolver, name, RecordType::AAAA))?;
    let mut endpoints = Vec::new();
    let mut ttl = None;
    for answer in [v4, v6].into_iter().flatten() {
        ttl = Some(ttl.map_or_else(|| left(&answer), |ttl: Duration| ttl.min(left(&answer))));
        let addresses = answer.answers().iter().filter_map(|record| record.data.ip_addr());
        endpoints.extend(addresses.map(|address| Endpoint::new(address.to_string(), port)));
    }
    Ok(Found { endpoints, ttl: ttl.unwrap_or_default() })
}

/// Targets stay names: whoever connects resolves them.
async fn services(resolver: &TokioResolver, name: &str) -> Result<Found, NetError> {
    let Some(answer) = ask(resolver, name, RecordType::SRV).await? else {
        return Ok(Found { endpoints: Vec::new(), ttl: Duration::ZERO });
    };
    let service = |data: &RData| if let RData::SRV(service) = data { Some(service.clone()) } else { None };
    // "." as the target says that there is no such service (RFC 2782).
    let offered = |service: &SRV| !service.target.is_root() && service.port > 0;
    let services: Vec<_> =
        answer.answers().iter().filter_map(|record| service(&record.data)).filter(offered).take(MOST_TARGETS).collect();
    let best = services.iter().map(|service| service.priority).min();
    let chosen = services.iter().filter(|service| Some(service.priority) == best);
    let endpoint = |service: &SRV| {
        let host = service.target.to_utf8();
        Endpoint { weight: service.weight, ..Endpoint::new(host.trim_end_matches('.'), service.port) }
    };
    Ok(Found { endpoints: chosen.map(endpoint).collect(), ttl: left(&answer) })
}

/// The records, or none if the name server says that there are none.
async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Option<Lookup>, NetError> {
    match resolver.lookup(name, kind).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_answer(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A server that fails or refuses has not said that there are no records.
fn is_answer(error: &NetError) -> bool {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else { return false };
    matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

fn left(answer: &Lookup) -> Duration {
    answer.valid_until().saturating_duration_since(Instant::now())
}
