//! The mesh under test: processes of one domain each, found through a Consul agent, with mounted
//! certificates. Replicas listen on ports of their own choice, so a restarted one is a new instance.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use weft_test_consul::Agent;
use weft_test_ports::free_port;
use weft_test_redis::Server as Redis;

use crate::{
    certificates::{Authority, Mounted},
    error::ProofError,
    process::{Launch, Process},
};

/// Domains of which there are several replicas.
pub(crate) const REPLICATED: [&str; 2] = ["catalog", "orders"];
const WORKLOADS: [&str; 4] = ["auth", "catalog", "edge", "orders"];
const REPLICAS: usize = 3;
const LONG: Duration = Duration::from_hours(24);

/// What the mesh is made of.
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    /// An empty PostgreSQL database.
    pub(crate) database_url: String,
    /// How long the first leaves are valid.
    pub(crate) first_life: Duration,
    /// Switches of a binary with the feature `sabotage`.
    pub(crate) sabotage: Option<String>,
}

/// The running mesh. It ends when it is dropped.
pub(crate) struct Cluster {
    // Before the folder that they run in, which goes last.
    processes: Vec<Process>,
    consul: Agent,
    // Carries events between them.
    _redis: Redis,
    launch: Launch,
    mounted: Mounted,
    issuer: Authority,
    leaves_end: SystemTime,
    edge: SocketAddr,
    folder: TempDir,
}

impl Cluster {
    /// Starts everything, and waits until it says ready.
    pub(crate) async fn start(plan: Plan) -> Result<Self, ProofError> {
        let binary = fs::canonicalize(&plan.binary).map_err(|source| ProofError::Run { binary: plan.binary, source })?;
        let folder = tempfile::Builder::new().prefix("weft-proof-mesh-").tempdir()?;
        let consul = tokio::task::block_in_place(Agent::start)?;
        let redis = tokio::task::block_in_place(Redis::start)?;
        let edge = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut environment = environment(folder.path(), &plan.database_url, &consul, &redis)?;
        let launch = Launch { binary, folder: folder.path().to_owned(), environment: environment.clone() };
        launch.migrate()?;
        if let Some(sabotage) = plan.sabotage {
            environment.push(("WEFT_SABOTAGE".to_owned(), sabotage));
        }
        let mut cluster = Self {
            processes: Vec::new(),
            consul,
            _redis: redis,
            launch: Launch { environment, ..launch },
            mounted: Mounted::new(folder.path().join("certificates")),
            issuer: Authority::new("first")?,
            leaves_end: SystemTime::now() + plan.first_life,
            edge,
            folder,
        };
        cluster.mounted.mount(&WORKLOADS, &cluster.issuer, plan.first_life, &[&cluster.issuer])?;
        cluster.serve("auth", 0).await?;
        for replica in 0..REPLICAS {
            for domain in REPLICATED {
                cluster.serve(domain, replica).await?;
            }
        }
        cluster.serve("edge", 0).await?;
        Ok(cluster)
    }

    /// Where the edge listens.
    pub(crate) fn edge(&self) -> SocketAddr {
        self.edge
    }

    /// The names of all replicas, those of one domain after those of another.
    pub(crate) fn replicas() -> impl Iterator<Item = (&'static str, usize)> {
        REPLICATED.into_iter().flat_map(|domain| (0..REPLICAS).map(move |replica| (domain, replica)))
    }

    /// Starts a replica. It replaces the one of the same number, which has ended.
    pub(crate) async fn serve(&mut self, domain: &'static str, replica: usize) -> Result<(), ProofError> {
        let name = name(domain, replica);
        self.processes.retain(|process| process.name() != name);
        let variable = |name: &str, value: String| (name.to_owned(), value);
        let data = self.folder.path().join(&name);
        let more = [
            variable("WEFT_DATA_DIR", data.display().to_string()),
            variable("WEFT_MESH_CERTIFICATES", self.mounted.of(domain).display().to_string()),
        ];
        let edge = [variable("WEFT_EDGE_PORT", self.edge.port().to_string())];
        let more = if domain == "edge" { [&more[..], &edge].concat() } else { more.to_vec() };
        let process = self.launch.serve(domain, &name, &more).await?;
        self.processes.push(process);
        Ok(())
    }

    /// A replica's process.
    pub(crate) fn process(&mut self, domain: &'static str, replica: usize) -> Result<&mut Process, ProofError> {
        let wanted = name(domain, replica);
        let log = || "it is not running".to_owned();
        let found = self.processes.iter_mut().find(|process| process.name() == wanted);
        found.ok_or_else(|| ProofError::NotReady { process: wanted.clone(), log: log() })
    }

    /// Kills the Consul agent.
    pub(crate) fn lose_consul(&mut self) {
        tokio::task::block_in_place(|| self.consul.stop());
    }

    /// Starts the agent at the same ports. It remembers nothing.
    pub(crate) fn bring_consul_back(&mut self) -> Result<(), ProofError> {
        Ok(tokio::task::block_in_place(|| self.consul.restart())?)
    }

    /// When the leaves that are mounted end.
    pub(crate) fn leaves_end(&self) -> SystemTime {
        self.leaves_end
    }

    /// Mounts new leaves of the same authority.
    pub(crate) fn mount_new_leaves(&mut self) -> Result<(), ProofError> {
        self.leaves_end = SystemTime::now() + LONG;
        self.mounted.mount(&WORKLOADS, &self.issuer, LONG, &[&self.issuer])
    }

    /// Mounts leaves of the old authority, and the roots of both.
    pub(crate) fn trust(&mut self, next: &Authority) -> Result<(), ProofError> {
        self.mounted.mount(&WORKLOADS, &self.issuer, LONG, &[&self.issuer, next])
    }

    /// Mounts leaves of the new authority, and the roots of both.
    pub(crate) fn adopt(&mut self, next: Authority) -> Result<(), ProofError> {
        self.mounted.mount(&WORKLOADS, &next, LONG, &[&self.issuer, &next])?;
        self.issuer = next;
        Ok(())
    }

    /// Mounts leaves and the root of the new authority alone.
    pub(crate) fn forget_old_root(&mut self) -> Result<(), ProofError> {
        self.mount_new_leaves()
    }
}

fn name(domain: &str, replica: usize) -> String {
    format!("{domain}-{replica}")
}

/// What every process has in common.
fn environment(folder: &Path, database_url: &str, consul: &Agent, redis: &Redis) -> Result<Vec<(String, String)>, ProofError> {
    let consul = consul.http()?.to_string();
    let mut environment = vec![
        ("DATABASE_URL", database_url.to_owned()),
        ("CONSUL_HTTP_ADDR", consul),
        ("WEFT_EVENTS_URL", redis.address()),
        ("WEFT_ADMIN_PORT", "0".to_owned()),
        ("WEFT_LOG_FORMAT", "json".to_owned()),
        ("WEFT_MESH_CERTIFICATES_FROM", "files".to_owned()),
        ("WEFT_DATA_DIR", folder.join("data").display().to_string()),
    ];
    environment.extend(
        [("WEFT_MESH_PORTS_AUTH", "0"), ("WEFT_MESH_PORTS_CATALOG", "0"), ("WEFT_MESH_PORTS_ORDERS", "0")]
            .map(|(name, value)| (name, value.to_owned())),
    );
    Ok(environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
