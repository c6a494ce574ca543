//! A whole mesh in one test process: real ports, mutual TLS, transport and databases.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tempfile::TempDir;
use uuid::Uuid;
use weft_access::{AssertionSigner, EDGE};
use weft_call::{Call, CallBuilder, Client, Clock, Contract, Principal, ServiceAccount, TenantId, User};
use weft_config::{BlobsUrl, Config};
use weft_mesh::{Domain, Running, Runtime, store::Watch};
use weft_test_tenancy::Tenancy;

use crate::{Backend, Caller};

/// A change of the configuration before the start.
type Configure = Box<dyn FnOnce(&mut Config) + Send>;

/// A mesh that is to start.
pub struct MeshBuilder {
    domains: Vec<Domain>,
    contracts: Vec<&'static Contract>,
    configure: Vec<Configure>,
    clock: Clock,
    admin: bool,
}

/// A mesh that runs. It stops when it is dropped; the test fails then if a statement of a tenant left a table open to all
/// tenants.
#[derive(Debug)]
pub struct Mesh {
    running: Running,
    backend: Backend,
    signer: Arc<AssertionSigner>,
    tenancy: Demanded,
    _folder: TempDir,
}

impl Mesh {
    /// These domains, with a clock that stands still until the test moves it.
    pub fn of(domains: impl IntoIterator<Item = Domain>) -> MeshBuilder {
        let clock = Clock::manual(Clock::system().now());
        MeshBuilder { domains: domains.into_iter().collect(), contracts: Vec::new(), configure: Vec::new(), clock, admin: false }
    }

    /// The running domains.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// What was seen of the statements that its domains ran.
    pub fn tenancy(&self) -> &Tenancy {
        &self.tenancy.0
    }

    /// Where its records are.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The clock of all its domains.
    pub fn clock(&self) -> &Clock {
        self.running.clock()
    }

    /// A client that calls as the edge does: over mutual TLS, with whatever authority the call has.
    ///
    /// # Panics
    ///
    /// If the mesh has no certificate for the edge, which is a fault of the mesh.
    pub fn client<C: Client>(&self) -> C {
        self.client_as(EDGE)
    }

    /// A client that calls as another domain.
    ///
    /// # Panics
    ///
    /// If `own` is no workload's name.
    pub fn client_as<C: Client>(&self, own: &str) -> C {
        let upstreams = self.running.upstreams(own).expect("the workload's connections");
        C::over(upstreams.upstream(C::SERVICE.domain).expect("the workload's certificate"))
    }

    /// Nobody, as the edge carries a public call.
    pub fn anonymous(&self) -> Call {
        CallBuilder::new(self.clock().clone()).build()
    }

    /// A person with one role in a tenant, new with each call of this function.
    pub fn user(&self, tenant: TenantId, role: &str) -> Caller {
        let roles = Arc::from([role.to_owned()]);
        self.caller(Principal::User(User { id: Uuid::now_v7(), tenant, session: Uuid::now_v7(), roles, epoch: 0 }))
    }

    /// A program with one role in a tenant.
    pub fn service_account(&self, tenant: TenantId, role: &str) -> Caller {
        let roles = Arc::from([role.to_owned()]);
        self.caller(Principal::ServiceAccount(ServiceAccount { id: Uuid::now_v7(), tenant, roles, epoch: 0 }))
    }

    /// Whoever `principal` is, with an assertion that the mesh believes for a minute.
    pub fn caller(&self, principal: Principal) -> Caller {
        Caller::new(principal, self.clock().clone(), Arc::clone(&self.signer))
    }

    /// A tenant that nobody has used.
    pub fn tenant(&self) -> TenantId {
        TenantId(Uuid::now_v7())
    }

    /// Runs a job now.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn run_job(&self, domain: &str, name: &str) {
        self.running.run_job(domain, name).await.expect("the job succeeds");
    }

    /// Drains and stops.
    ///
    /// # Panics
    ///
    /// If a statement of a tenant left a table open to all tenants.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// Ends the test with its mesh if a statement was wrong.
#[derive(Debug)]
struct Demanded(Arc<Tenancy>);

impl Drop for Demanded {
    fn drop(&mut self) {
        // A test that has failed already says why.
        if !std::thread::panicking() {
            self.0.demand();
        }
    }
}

impl MeshBuilder {
    /// Changes the configuration before the start.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// With another clock: the machine's, say.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Tells of domains that do not run here, and so who else may call.
    #[must_use]
    pub fn knowing(mut self, contracts: impl IntoIterator<Item = &'static Contract>) -> Self {
        self.contracts.extend(contracts);
        self
    }

    /// With the admin port, on a port of the system's choice.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Starts it with its records in `backend`.
    ///
    /// # Panics
    ///
    /// If it cannot start; for want of PostgreSQL with the command that installs it.
    pub async fn start(self, backend: Backend) -> Mesh {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config { data_dir: folder.path().join("data"), ..Config::default() };
        config.database.url = backend.url().await;
        config.blobs.url = Some(BlobsUrl::Folder(folder.path().join("data/blobs")));
        config.database.max_connections = NonZeroU32::MIN.saturating_add(7);
        config.admin.port = 0;
        config.mesh.drain_timeout = Duration::from_secs(5);
        self.configure.into_iter().for_each(|change| change(&mut config));
        let mut runtime = Runtime::new(config, self.domains);
        for domain in &runtime.domains {
            runtime.config.mesh.ports.entry(domain.name().to_owned()).or_insert(0);
        }
        runtime.contracts.extend(self.contracts);
        runtime.clock = self.clock;
        runtime.admin = self.admin;
        let tenancy = Arc::new(Tenancy::default());
        let watch: Arc<dyn Watch> = Arc::clone(&tenancy) as Arc<dyn Watch>;
        runtime.watch = Some(watch);
        let running = runtime.start().await.expect("the mesh starts");
        running.open();
        let signer = AssertionSigner::new(running.certificates(), EDGE.parse().expect("the edge's name"));
        Mesh { running, backend, signer: Arc::new(signer), tenancy: Demanded(tenancy), _folder: folder }
    }
}

impl std::fmt::Debug for MeshBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeshBuilder").field("domains", &self.domains).finish_non_exhaustive()
    }
}
