//! The edge alone, in front of any gRPC server: `weft edge`.

use std::sync::Arc;

use weft_access::EDGE;
use weft_config::Config;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, SchemaSource, UPSTREAM};
use weft_mesh::{AdminPort, Clock, Operator};
use weft_telemetry::{LogFilter, Metrics};
use weft_transport::{LiveTuning, TransportError, Upstreams};

use crate::{arguments, failure::Failure, front_door, process::Stop};

/// Serves until the process is asked to stop.
pub(crate) async fn serve(config: &Config, asked: arguments::Alone, log: LogFilter) -> Result<(), Failure> {
    let arguments::Alone { descriptors, upstream, reflect, listen, admin } = asked;
    let mut settings = front_door::settings(config)?;
    settings.address = listen.unwrap_or(settings.address);
    let (schema, servers) = match descriptors {
        Some(file) => (SchemaSource::File(file), upstream),
        None => (SchemaSource::Reflection, reflect),
    };
    let metrics = Metrics::new();
    let resolver = Arc::new(Static::of(UPSTREAM, servers));
    let own = EDGE.parse().map_err(TransportError::Name)?;
    let upstreams = Upstreams::plaintext(own, resolver, metrics.clone(), LiveTuning::default());
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
    let operator = Operator { log: Some(log), ..Operator::default() };
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

/// The address of a server.
pub(crate) fn server(text: &str) -> Result<Endpoint, String> {
    let wrong = || "it must be http://HOST:PORT, such as http://localhost:50051".to_owned();
    let place = text.strip_prefix("http://").ok_or_else(wrong)?;
    place.strip_suffix('/').unwrap_or(place).parse().map_err(|_| wrong())
}
