//! The edge alone, in front of any gRPC server: `weft edge`.

use std::{path::Path, sync::Arc};

use weft_access::EDGE;
use weft_config::Loaded;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, SchemaSource, UPSTREAM};
use weft_mesh::{AdminPort, Clock, Operator, Told};
use weft_telemetry::{LogFilter, Metrics};
use weft_transport::{LiveTuning, TransportError, Upstreams};

use crate::{arguments, failure::Failure, front_door, process::Stop, routes};

/// Serves until the process is asked to stop.
pub(crate) async fn serve(loaded: &Loaded, asked: arguments::Alone, log: LogFilter) -> Result<(), Failure> {
    let config = &loaded.config;
    let arguments::Alone { descriptors, upstream, reflect, upstream_ca, listen, admin } = asked;
    let mut settings = front_door::settings(config)?;
    settings.address = listen.unwrap_or(settings.address);
    let (schema, servers) = match descriptors {
        Some(file) => (SchemaSource::File(file), upstream),
        None => (SchemaSource::Reflection, reflect),
    };
    let metrics = Metrics::new();
    let upstreams = upstreams(servers, upstream_ca.as_deref(), metrics.clone())?;
    let edge = Alone { settings, schema, upstreams, clock: Clock::system(), metrics: metrics.clone() };
    let mut stop = Stop::listen()?;
    let edge = tokio::select! {
        edge = edge.start() => edge.map_err(front_door::named)?,
        signal = stop.asked() => {
            tracing::info!(signal, "stopped before the edge was started");
            return Ok(());
        }
    };
    tracing::info!(address = %edge.local_addr, "listening");
    let served = edge.served();
    let operator = Operator {
        routes: Some(Told::new(move || routes::of_methods(&served.methods()))),
        config: Some(loaded.render().into()),
        log: Some(log),
        ..Operator::default()
    };
    let drain = operator.drain.clone();
    let admin = match admin {
        Some(address) => Some(AdminPort::open(address, "--admin", metrics, operator).await?),
        None => None,
    };
    if let Some(admin) = &admin {
        tracing::info!(admin = %admin.local_addr, "ready");
    }
    let leave = || {
        edge.leaving().cancel();
        if let Some(admin) = &admin {
            admin.drain();
        }
    };
    let signal = tokio::select! {
        signal = stop.asked() => signal,
        () = drain.cancelled() => {
            tracing::info!("draining, as an operator asked");
            leave();
            stop.asked().await
        }
    };
    leave();
    tracing::info!(signal, "draining");
    tokio::select! {
        () = edge.shutdown() => tracing::info!("stopped"),
        signal = stop.asked() => tracing::warn!(signal, "stopped before calls under way had ended"),
    }
    Ok(())
}

/// The ways to the servers: all over TLS, or none of them.
fn upstreams(servers: Vec<Server>, authorities: Option<&Path>, metrics: Metrics) -> Result<Upstreams, Failure> {
    let own = EDGE.parse().map_err(TransportError::Name)?;
    let is_tls = servers.iter().any(|server| server.is_tls);
    if is_tls && servers.iter().any(|server| !server.is_tls) {
        return Err(Failure::UpstreamsMixed);
    }
    let endpoints: Vec<_> = servers.into_iter().map(|server| server.endpoint).collect();
    let resolver = Arc::new(Static::of(UPSTREAM, endpoints));
    match (is_tls, authorities) {
        (true, authorities) => Ok(Upstreams::tls(own, resolver, authorities, metrics, LiveTuning::default())?),
        (false, None) => Ok(Upstreams::plaintext(own, resolver, metrics, LiveTuning::default())),
        (false, Some(_)) => Err(Failure::UpstreamCaAlone),
    }
}

/// A server that is no domain.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    endpoint: Endpoint,
    is_tls: bool,
}

/// The address of a server that may be spoken to over TLS.
pub(crate) fn upstream(text: &str) -> Result<Server, String> {
    let wrong = || "it must be http://HOST:PORT or https://HOST:PORT, such as http://localhost:50051".to_owned();
    let (is_tls, place) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(place), _) => (true, place),
        (None, Some(place)) => (false, place),
        (None, None) => return Err(wrong()),
    };
    let endpoint = place.strip_suffix('/').unwrap_or(place).parse().map_err(|_| wrong())?;
    Ok(Server { endpoint, is_tls })
}

/// The address of a server that is spoken to in plaintext.
pub(crate) fn server(text: &str) -> Result<Endpoint, String> {
    let wrong = || "it must be http://HOST:PORT, such as http://localhost:50051".to_owned();
    let place = text.strip_prefix("http://").ok_or_else(wrong)?;
    place.strip_suffix('/').unwrap_or(place).parse().map_err(|_| wrong())
}
