//! The steps of a start, in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch};
use weft_access::{AssertionVerifier, CallerRules, ContractRoles, EDGE, RateLimits};
use weft_call::{Clock, Contract, LimitScope};
use weft_config::{Config, DatabasePooler};
use weft_jobs::Job;
use weft_saga::{Conductor, Sagas};
use weft_store::{Databases, Pooler, Settings, Store, Watch};
use weft_telemetry::Metrics;
use weft_transport::{Admission, Limits, Server, ServerHealth, TransportError, Upstreams};
use weft_workload_identity::{CertificateSource, WorkloadName};

use super::{
    Migrations, Running, Runtime, Tasks, adjust::Adjustable, blobs, callers, certificates, discovery::Discovery, events, replica,
    sealing,
};
use crate::{
    Domain, StartError,
    admin::{self, Health, Phase},
    context::Parts,
    domain::Started,
    job::Workshop,
};

/// Limits by address are the edge's to count: inside, every address is a domain's.
const COUNTED_HERE: [LimitScope; 3] = [LimitScope::Tenant, LimitScope::User, LimitScope::Peer];

pub(super) async fn start(runtime: Runtime) -> Result<Running, StartError> {
    let Runtime { config, domains, contracts, subscriptions, migrations, clock, metrics, tuning, .. } = runtime;
    let Runtime { live, admin, operator, edge, watch: watching, .. } = runtime;
    let config = Arc::new(config);
    let agent = weft_reload::consul_settings(&config.consul)?;
    check_names(&domains)?;
    check_callees(&config, &domains, &contracts)?;
    let carrier = events::carrier(&config, &domains, &contracts, &subscriptions)?;
    let rules = callers::caller_rules(&config, &contracts)?;
    let mut adjustable = Adjustable::new(&config, live.as_ref(), tuning.clone(), agent.as_ref(), Arc::clone(&rules));
    let (databases, stores) = open_stores(&serving(&config, &metrics, watching)?, &domains, migrations, &metrics).await?;
    adjustable.logs_in_to(databases, &config);
    let (sealer, blobs) = if domains.is_empty() { (None, None) } else { (sealing::open(&config)?, blobs::open_blobs(&config)?) };
    let workloads = workloads(&domains, edge)?;
    let certificates = certificates::open(&config, agent.as_ref(), &workloads).await?;
    let discovery = Box::pin(Discovery::new(&config, agent.as_ref())).await?;
    let elsewhere = callees(&domains, &contracts).map(|(_, callee)| callee).filter(|callee| !is_here(&domains, callee));
    discovery.locate(elsewhere).await;
    let intentions = callers::intentions(&config, agent.as_ref(), domains.iter().map(Domain::name), &rules).await?;
    let admission = admission((&domains, &contracts), &rules, &adjustable, &certificates, (&clock, &metrics))?;
    let limits = Limits { drain: config.mesh.drain_timeout, ..Limits::default() };

    let mut addresses = BTreeMap::new();
    let (mut health, mut jobs, mut ready, mut handlers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut conductors, mut servers, mut background) = (Vec::new(), Tasks::default(), Tasks::default());
    for (domain, store) in domains.into_iter().zip(&stores) {
        let name = domain.name();
        let (listener, address) = listen_domain(&config, &domain).await?;
        let upstreams =
            Upstreams::new(workload(name)?, discovery.resolver(), Arc::clone(&certificates), metrics.clone(), tuning.clone());
        let parts = Parts {
            store: store.clone(),
            upstreams,
            clock: clock.clone(),
            config: Arc::clone(&config),
            sealer: sealer.clone(),
            blobs: blobs.clone(),
            sagas: Sagas::new(store.clone()),
            contracts: contracts.clone(),
        };
        let Started { service, jobs: own, events, conductor } = (domain.start)(&parts)?;
        conductors.extend(conductor);
        handlers.push((domain.contract, store.clone(), events));
        let (server, reported) = Server::new(
            service,
            Arc::new(store.clone()),
            admission.clone(),
            Arc::clone(&certificates),
            metrics.clone(),
            limits.clone(),
            tuning.clone(),
        )?;
        discovery.register(name, address);
        addresses.insert(name, address);
        jobs.extend(Workshop { store, clock: &clock, lease: config.jobs.lease, retention: config.events.retention }.jobs(own));
        health.push(reported);
        ready.push((server, listener));
    }
    for (server, listener) in ready {
        servers.spawn(server.serve(listener, servers.token()));
    }
    report_serving(&health).await;
    work(&jobs, conductors, &mut background);
    if let Some(live) = live.clone() {
        background.spawn(adjustable.clone().follow(live, background.token()));
    }
    let (lease, phase) = (config.events.lease, watch::Sender::new(Phase::Starting));
    events::Works { carrier, contracts: &contracts, clock: &clock, metrics: &metrics, lease }.start(handlers, &mut background);
    let reported = Health {
        stores: addresses.keys().copied().zip(stores_in_order(&addresses, &stores)).collect(),
        elsewhere: discovery.elsewhere(),
        intentions: intentions.clone(),
        certificates: Some(Arc::clone(&certificates)),
        workloads: workloads.into(),
        phase: phase.subscribe(),
        metrics: metrics.clone(),
        live,
        operator,
    };
    let admin_address = if admin { serve_admin(&config, &mut background, reported).await? } else { None };
    announce(&discovery, &stores, &addresses);
    Ok(Running {
        config,
        contracts,
        addresses,
        admin: admin_address,
        discovery,
        certificates,
        rules,
        _intentions: intentions,
        metrics,
        adjustable,
        clock,
        jobs,
        health,
        phase,
        servers,
        background,
    })
}

/// Decides what may run in these domains.
fn admission(
    (domains, contracts): (&[Domain], &[&'static Contract]),
    rules: &Arc<CallerRules>,
    adjustable: &Adjustable,
    certificates: &Arc<dyn CertificateSource>,
    (clock, metrics): (&Clock, &Metrics),
) -> Result<Admission, StartError> {
    let limits = RateLimits::of(domains.iter().map(Domain::contract), &COUNTED_HERE).stretched_by(adjustable.factors.clone());
    Ok(Admission {
        rules: Arc::clone(rules),
        limits: Arc::new(limits),
        roles: Arc::new(ContractRoles::of(contracts.iter().copied())),
        assertions: Arc::new(AssertionVerifier::new(Arc::clone(certificates), vec![workload(EDGE)?])),
        clock: clock.clone(),
        metrics: metrics.clone(),
    })
}

async fn report_serving(health: &[ServerHealth]) {
    for reported in health {
        reported.set_serving(true).await;
    }
}

/// Starts jobs and sagas.
fn work(jobs: &[Job], conductors: Vec<Conductor>, background: &mut Tasks) {
    for job in jobs {
        background.spawn(job.clone().repeat(background.token()));
    }
    for conductor in conductors {
        background.spawn(conductor.run(background.token()));
    }
}

/// Serves the admin port; where it is.
async fn serve_admin(config: &Config, background: &mut Tasks, health: Health) -> Result<Option<SocketAddr>, StartError> {
    let listener = listen("the admin port", config.admin.listen(), "admin.port").await?;
    let address = listener.local_addr().ok();
    background.spawn(admin::serve(listener, health, background.token()));
    Ok(address)
}

/// Tells everyone about the domains of this process.
fn announce(discovery: &Discovery, stores: &[Store], addresses: &BTreeMap<&'static str, SocketAddr>) {
    for store in stores {
        discovery.announce(store.clone(), addresses);
    }
}

/// The stores by the order of their domains' names.
fn stores_in_order<'a>(
    addresses: &'a BTreeMap<&'static str, SocketAddr>,
    stores: &'a [Store],
) -> impl Iterator<Item = Store> + 'a {
    addresses.keys().filter_map(|name| stores.iter().find(|store| store.domain() == *name).cloned())
}

fn check_names(domains: &[Domain]) -> Result<(), StartError> {
    let mut seen = BTreeSet::new();
    match domains.iter().map(Domain::name).find(|name| !seen.insert(*name)) {
        Some(twice) => Err(StartError::DomainTwice(twice)),
        None => Ok(()),
    }
}

/// Every domain that is called is in this process, or something says where it is.
fn check_callees(config: &Config, domains: &[Domain], contracts: &[&'static Contract]) -> Result<(), StartError> {
    if config.finds_domains() {
        return Ok(());
    }
    let is_known = |callee: &str| is_here(domains, callee) || config.mesh.upstreams.contains_key(callee);
    match callees(domains, contracts).find(|(_, callee)| !is_known(callee)) {
        Some((domain, callee)) => Err(StartError::UpstreamUnknown { domain, callee }),
        None => Ok(()),
    }
}

fn is_here(domains: &[Domain], name: &str) -> bool {
    domains.iter().any(|domain| domain.name() == name)
}

/// Who calls whom.
fn callees(domains: &[Domain], contracts: &[&'static Contract]) -> impl Iterator<Item = (&'static str, String)> {
    let owner = |service: &str| {
        let known = contracts.iter().flat_map(|contract| contract.services);
        let found = known.into_iter().find(|known| known.name == service).map(|known| known.domain.to_owned());
        // A service of no known contract: `weft.things.v1.Things` is of the domain `things`.
        found.unwrap_or_else(|| service.rsplit('.').nth(2).unwrap_or(service).to_owned())
    };
    domains.iter().flat_map(move |domain| {
        let called = domain.contract().services.iter().flat_map(|service| service.calls);
        called.map(move |service| (domain.name(), owner(service)))
    })
}

/// Opens the databases that the configuration names, and reaches them once.
pub async fn open_databases(config: &Config) -> Result<Databases, StartError> {
    Databases::open(&database_settings(config)).await.map_err(StartError::Databases)
}

/// What the configuration says of the databases.
pub fn database_settings(config: &Config) -> Settings {
    Settings {
        url: config.database.url.clone(),
        migration_url: config.database.migration_url().cloned(),
        data_dir: config.data_dir.clone(),
        max_connections: config.database.max_connections.get(),
        acquire_timeout: config.database.acquire_timeout,
        statement_timeout: config.database.statement_timeout,
        max_lifetime: config.database.max_lifetime,
        prepared_statements: config.database.prepared_statements,
        pooler: match config.database.pooler {
            DatabasePooler::None => Pooler::None,
            DatabasePooler::Transaction => Pooler::Transaction,
        },
        replica: None,
        watch: None,
    }
}

/// The same for domains that serve: they may read from a replica.
fn serving(config: &Config, metrics: &Metrics, watch: Option<Arc<dyn Watch>>) -> Result<Settings, StartError> {
    Ok(Settings { watch, replica: replica::settings(config, metrics)?, ..database_settings(config) })
}

async fn open_stores(
    settings: &Settings,
    domains: &[Domain],
    migrations: Migrations,
    metrics: &Metrics,
) -> Result<(Option<Databases>, Vec<Store>), StartError> {
    // An edge alone keeps no records and needs no database.
    if domains.is_empty() {
        return Ok((None, Vec::new()));
    }
    let databases = Databases::open(settings).await.map_err(StartError::Databases)?.measured_by(metrics);
    let mut stores = Vec::with_capacity(domains.len());
    for domain in domains {
        let failed = |source| StartError::Store { domain: domain.name(), source };
        match migrations {
            Migrations::Run => databases.migrate(domain.schema()).await.map_err(failed)?,
            Migrations::Demand => {
                let pending = databases.pending(domain.schema()).await.map_err(failed)?;
                if !pending.is_empty() {
                    return Err(StartError::MigrationsPending { domain: domain.name(), pending: pending.join(", ") });
                }
            }
        }
        stores.push(databases.store(domain.schema()).await.map_err(failed)?);
    }
    Ok((Some(databases), stores))
}

/// Who this process is: its domains, and the edge.
fn workloads(domains: &[Domain], edge: bool) -> Result<Vec<WorkloadName>, TransportError> {
    domains.iter().map(Domain::name).chain(edge.then_some(EDGE)).map(workload).collect()
}

fn workload(name: &str) -> Result<WorkloadName, TransportError> {
    Ok(name.parse()?)
}

async fn listen_domain(config: &Config, domain: &Domain) -> Result<(TcpListener, SocketAddr), StartError> {
    let name = domain.name();
    let port = config.mesh.ports.get(name).copied().or(domain.port).unwrap_or(0);
    let (asked, setting) = (SocketAddr::new(config.mesh.listen, port), format!("mesh.ports.{name}"));
    let listener = listen(name, asked, &setting).await?;
    let address = listener.local_addr().map_err(|source| listen_error(name, asked, &setting, source))?;
    Ok((listener, address))
}

async fn listen(what: &str, address: SocketAddr, setting: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| listen_error(what, address, setting, source))
}

fn listen_error(what: &str, address: SocketAddr, setting: &str, source: std::io::Error) -> StartError {
    StartError::Listen { what: what.to_owned(), address, setting: setting.to_owned(), source }
}
