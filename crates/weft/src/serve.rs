//! Running domains until the process is asked to stop.
//!
//! Start: the domains, then the edge. Stop: readiness fails first, the edge takes no new requests and
//! ends those under way, then the domains do. A second signal does not wait for them.

use std::io::Write;

use weft_access::EDGE;
use weft_config::Config;
use weft_mesh::{Domain, Migrations, Running, Runtime};

use crate::{failure::Failure, front_door, process::Stop, welcome};

/// What runs: domains, and the edge if it was asked for.
struct Served {
    domains: Running,
    edge: Option<weft_edge::Running>,
}

/// Runs all domains and the edge. They run their migrations themselves.
pub(crate) async fn everything(config: Config, domains: Vec<Domain>, program: &str, out: &mut impl Write) -> Result<(), Failure> {
    let ready = |served: &Served| welcome::show(&served.domains, served.edge.as_ref(), program, out);
    until_stopped(Runtime::new(config, domains), true, ready).await
}

/// Runs the domains that are named. Their migrations are a step of their own.
pub(crate) fn some(
    config: Config,
    domains: Vec<Domain>,
    names: &[String],
) -> Result<impl Future<Output = Result<(), Failure>>, Failure> {
    check_names(&domains, names)?;
    let with_edge = names.iter().any(|name| name == EDGE);
    let contracts = domains.iter().map(Domain::contract).collect();
    let chosen = domains.into_iter().filter(|domain| names.iter().any(|name| name == domain.name())).collect();
    let mut runtime = Runtime::new(config, chosen);
    runtime.contracts = contracts;
    runtime.migrations = Migrations::Demand;
    runtime.edge = with_edge;
    Ok(until_stopped(runtime, with_edge, |_| Ok(())))
}

fn check_names(domains: &[Domain], names: &[String]) -> Result<(), Failure> {
    let known: Vec<_> = domains.iter().map(Domain::name).chain([EDGE]).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Failure::DomainUnknown { name: name.clone(), known: known.join(", ") }),
        None => Ok(()),
    }
}

async fn until_stopped(
    runtime: Runtime,
    with_edge: bool,
    ready: impl FnOnce(&Served) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let served = tokio::select! {
        served = start(runtime, with_edge) => served?,
        signal = stop.asked() => {
            tracing::info!(signal, "stopped before everything was started");
            return Ok(());
        }
    };
    served.log();
    ready(&served)?;
    let signal = stop.asked().await;
    tracing::info!(signal, "draining");
    tokio::select! {
        () = served.stop() => tracing::info!("stopped"),
        signal = stop.asked() => tracing::warn!(signal, "stopped before calls under way had ended"),
    }
    Ok(())
}

async fn start(runtime: Runtime, with_edge: bool) -> Result<Served, Failure> {
    let domains = runtime.start().await?;
    let edge = if with_edge { Some(front_door::start(&domains).await?) } else { None };
    domains.open();
    Ok(Served { domains, edge })
}

impl Served {
    /// Where everything listens: with port 0 nobody else can tell.
    fn log(&self) {
        for (domain, address) in self.domains.addresses() {
            tracing::info!(domain, %address, "listening");
        }
        if let Some(edge) = &self.edge {
            tracing::info!(domain = EDGE, address = %edge.local_addr, "listening");
        }
        if let Some(address) = self.domains.admin() {
            tracing::info!(admin = %address, "ready");
        }
    }

    async fn stop(self) {
        self.domains.drain().await;
        if let Some(edge) = self.edge {
            edge.shutdown().await;
        }
        self.domains.stop().await;
    }
}
