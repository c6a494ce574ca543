//! Running domains until the process is asked to stop.
//!
//! Start: the domains, then the edge. Stop: readiness fails first, the edge takes no new requests and
//! ends those under way, then the domains do. A second signal does not wait for them.

use std::io::Write;

use tokio::task::JoinSet;
use weft_access::EDGE;
use weft_config::Loaded;
use weft_mesh::{Domain, Migrations, Operator, Running, Runtime};
use weft_reload::Reloader;
use weft_telemetry::LogFilter;

use crate::{
    configure::{Configured, Names},
    failure::Failure,
    front_door,
    process::Stop,
    routes, welcome,
};

/// The name that stands for every domain.
const ALL: &str = "all";

/// What runs: domains, and the edge if it was asked for.
struct Served {
    domains: Running,
    edge: Option<weft_edge::Running>,
}

/// Runs all domains and the edge. They run their migrations themselves.
pub(crate) async fn everything(
    configured: Configured,
    domains: Vec<Domain>,
    log: LogFilter,
    program: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let ready = |served: &Served| welcome::show(&served.domains, served.edge.as_ref(), program, out);
    let names = Names::of(&domains);
    let operator = operator(&domains, &log)?;
    let mut runtime = Runtime::new(configured.loaded.config.clone(), domains);
    runtime.operator = operator;
    let _following = follow(configured, names, &mut runtime, log)?;
    Box::pin(until_stopped(runtime, true, ready)).await
}

/// Runs the domains that are named. Their migrations are a step of their own.
pub(crate) async fn some(configured: Configured, domains: Vec<Domain>, names: &[String], log: LogFilter) -> Result<(), Failure> {
    let with_edge = names.iter().any(|name| name == EDGE);
    let contracts = domains.iter().map(Domain::contract).collect();
    let known = Names::of(&domains);
    let subscriptions = weft_mesh::subscriptions(&domains);
    let operator = operator(&domains, &log)?;
    let chosen = domains.into_iter().filter(|domain| names.iter().any(|name| name == domain.name())).collect();
    let mut runtime = Runtime::new(configured.loaded.config.clone(), chosen);
    runtime.contracts = contracts;
    runtime.subscriptions = subscriptions;
    runtime.migrations = Migrations::Demand;
    runtime.edge = with_edge;
    runtime.operator = operator;
    let _following = follow(configured, known, &mut runtime, log)?;
    Box::pin(until_stopped(runtime, with_edge, |_| Ok(()))).await
}

/// What operators are given beside what the mesh knows.
fn operator(domains: &[Domain], log: &LogFilter) -> Result<Operator, Failure> {
    Ok(Operator { routes: Some(routes::json(domains)?.into()), log: Some(log.clone()), ..Operator::default() })
}

/// Lets the configuration change while the process runs, for as long as what it returns is held.
fn follow(configured: Configured, names: Names, runtime: &mut Runtime, log: LogFilter) -> Result<JoinSet<()>, Failure> {
    let Configured { sources, loaded } = configured;
    let check = Box::new(move |loaded: &Loaded| names.check(loaded));
    let reloader = Reloader::new(sources, loaded, check, runtime.metrics.upkeep().clone())?;
    let live = reloader.live();
    runtime.live = Some(live.clone());
    let mut following = JoinSet::new();
    following.spawn(reloader.run());
    following.spawn(live.follow(move |config| {
        if let Err(error) = log.set(&config.log.level) {
            tracing::error!(%error, "the log's filter cannot be taken: the one before stays");
        }
    }));
    Ok(following)
}

/// What the names mean: `all` is every domain of this binary.
pub(crate) fn meant(domains: &[Domain], names: Vec<String>) -> Vec<String> {
    if !names.iter().any(|name| name == ALL) {
        return names;
    }
    let others = names.into_iter().filter(|name| name != ALL && !domains.iter().any(|domain| domain.name() == name));
    domains.iter().map(|domain| domain.name().to_owned()).chain(others).collect()
}

/// Every name is that of a domain of this binary, or of the edge.
pub(crate) fn check_names(domains: &[Domain], names: &[String]) -> Result<(), Failure> {
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
    let drain = runtime.operator.drain.clone();
    let served = tokio::select! {
        served = start(runtime, with_edge) => served?,
        signal = stop.asked() => {
            tracing::info!(signal, "stopped before everything was started");
            return Ok(());
        }
    };
    served.log();
    ready(&served)?;
    let mut is_draining = false;
    let signal = loop {
        tokio::select! {
            signal = stop.asked() => break signal,
            () = drain.cancelled(), if !is_draining => {
                is_draining = true;
                tracing::info!("draining, as an operator asked");
                served.leave().await;
            }
        }
    };
    #[cfg(feature = "sabotage")]
    if weft_sabotage::Sabotage::NoDrain.is_on() {
        return Ok(());
    }
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

    /// Takes no part in the mesh any more, and serves whoever comes all the same.
    async fn leave(&self) {
        self.domains.drain().await;
        if let Some(edge) = &self.edge {
            edge.leaving().cancel();
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
