//! A domain that checks out: three steps, each of which leaves an effect and can be undone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Error, MeshReason, Principal, Result, Scope, TenantId, User};
use weft_saga::{Conductor, Definition, Saga, Sagas, State};
use weft_store::{Databases, DomainSchema, Migrations, Read, Settings, Store, Tx, sqlx, statements};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("tests/saga/migrations");

/// Long enough for a busy machine, for what takes no time.
const LIMIT: Duration = Duration::from_mins(1);
/// So short that a test can wait for its end.
pub(crate) const LEASE: Duration = Duration::from_millis(600);
pub(crate) const STEPS: [&str; 3] = ["reserve", "capture", "confirm"];

statements! {
    ADD_EFFECT =
        "INSERT INTO effects (tenant_id, idempotency_key, step, number) \
         VALUES ($1, $2, $3, (SELECT count(*) FROM effects WHERE tenant_id = $1)) ON CONFLICT DO NOTHING";
    LIST_EFFECTS = "SELECT step FROM effects WHERE tenant_id = $1 ORDER BY number LIMIT 1000";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes two tests of each behaviour.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::given::House::open($crate::given::Backend::Sqlite).await).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::given::House::open($crate::given::Backend::Postgres).await).await; })+
        }
    };
}
pub(crate) use on_both;

/// What the saga works on: the steps that it has passed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkout {
    pub(crate) passed: Vec<String>,
}

/// What happens to a step, `undo-reserve` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is refused before it does anything.
    Refused,
    /// It is refused after it has done what it does.
    RefusedLate,
    /// It fails for a passing reason so many times.
    Passing(usize),
    /// It hangs before it does anything.
    HangsBefore,
    /// It hangs after it has done what it does.
    HangsAfter,
}

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) sagas: Sagas,
    pub(crate) shop: Arc<Shop>,
    pub(crate) tenant: TenantId,
    pub(crate) user: Uuid,
    _folder: TempDir,
}

/// The handler.
pub(crate) struct Shop {
    store: Store,
    pub(crate) trouble: std::sync::Mutex<Option<(String, Trouble)>>,
    pub(crate) struck: AtomicUsize,
}

impl Shop {
    pub(crate) fn at(&self, step: &str, trouble: Trouble) {
        *self.trouble.lock().unwrap() = Some((step.to_owned(), trouble));
    }

    pub(crate) fn mend(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    async fn run(&self, call: &Call, step: &str, mut data: Checkout) -> Result<Checkout> {
        assert!(matches!(call.principal(), Principal::Job { domain: "shop", name: "sagas" }));
        assert!(call.on_behalf_of().unwrap().starts_with("user:"));
        let trouble = self.trouble.lock().unwrap().as_ref().filter(|(at, _)| at == step).map(|(_, trouble)| *trouble);
        let refused = || Error::new(MeshReason::PermissionMissing, "a test wants it so");
        let struck = if trouble.is_some() { self.struck.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        match trouble {
            Some(Trouble::Refused) => return Err(refused()),
            Some(Trouble::Passing(times)) if struck <= times => {
                return Err(Error::new(MeshReason::UpstreamUnavailable, "a test wants it so"));
            }
            Some(Trouble::HangsBefore) => std::future::pending().await,
            _ => {}
        }
        let key = call.idempotency_key().unwrap().as_str().to_owned();
        let add = async |tx: Tx| Ok(tx.run(&ADD_EFFECT).bind(&key).bind(step).execute().await.map(drop)?);
        self.store.transact(call, add).await?;
        match trouble {
            Some(Trouble::HangsAfter) => std::future::pending().await,
            Some(Trouble::RefusedLate) => return Err(refused()),
            _ => {}
        }
        data.passed.push(step.to_owned());
        Ok(data)
    }

    async fn reserve(&self, call: &Call, data: Checkout) -> Result<Checkout> {
        self.run(call, "reserve", data).await
    }

    async fn release(&self, call: &Call, data: Checkout) -> Result<Checkout> {
        self.run(call, "undo-reserve", data).await
    }

    async fn capture(&self, call: &Call, data: Checkout) -> Result<Checkout> {
        self.run(call, "capture", data).await
    }

    async fn refund(&self, call: &Call, data: Checkout) -> Result<Checkout> {
        self.run(call, "undo-capture", data).await
    }

    async fn confirm(&self, call: &Call, data: Checkout) -> Result<Checkout> {
        self.run(call, "confirm", data).await
    }
}

fn checkout() -> Definition<Shop, Checkout> {
    Definition::new("checkout")
        .step("reserve", Shop::reserve, Shop::release)
        .step("capture", Shop::capture, Shop::refund)
        .last_step("confirm", Shop::confirm)
}

impl House {
    pub(crate) async fn open(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::sqlite(folder.path());
        if backend == Backend::Postgres {
            let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
            settings.url = Some(url.to_string().into());
        }
        let schema = DomainSchema::new("shop").part(weft_saga::schema_part()).statements(STATEMENTS);
        let schema = schema.migrations(Migrations { shared: &MIGRATIONS, postgres: None });
        let databases = Databases::open(&settings).await.unwrap();
        databases.migrate(&schema).await.unwrap();
        let store = databases.store(&schema).await.unwrap();
        let shop = Shop { store: store.clone(), trouble: std::sync::Mutex::default(), struck: AtomicUsize::new(0) };
        let (sagas, tenant, user) = (Sagas::new(store.clone()), TenantId(Uuid::now_v7()), Uuid::now_v7());
        Self { store, sagas, shop: Arc::new(shop), tenant, user, _folder: folder }
    }

    /// A process that conducts.
    pub(crate) fn process(&self) -> Process {
        let conductor = Conductor::new(self.store.clone(), self.sagas.clone(), Clock::system(), LEASE);
        let stop = CancellationToken::new();
        Process { task: tokio::spawn(conductor.with(checkout(), &self.shop).run(stop.clone())), stop }
    }

    pub(crate) fn call(&self) -> Call {
        let mut parts = CallBuilder::new(Clock::system());
        parts.scope = Scope::Tenant(self.tenant);
        let (tenant, session) = (self.tenant, Uuid::nil());
        parts.principal = Principal::User(User { id: self.user, tenant, session, roles: Arc::from([]), epoch: 0 });
        parts.build()
    }

    pub(crate) async fn begin(&self) -> Uuid {
        let begin = async |tx: Tx| Ok(self.sagas.begin(&tx, "checkout", &Checkout::default()).await?);
        self.store.transact(&self.call(), begin).await.unwrap()
    }

    pub(crate) async fn saga(&self, id: Uuid) -> Saga {
        self.sagas.get(&self.call(), id).await.unwrap().unwrap()
    }

    /// Waits until it has ended, or is stuck.
    pub(crate) async fn ended(&self, id: Uuid) -> Saga {
        until("the saga ends", async || !matches!(self.saga(id).await.state(), State::Running | State::Undoing)).await;
        self.saga(id).await
    }

    /// The effects in their order.
    pub(crate) async fn effects(&self) -> Vec<String> {
        self.store.read(&self.call(), async |read: Read| Ok(read.run(&LIST_EFFECTS).fetch_values().await?)).await.unwrap()
    }
}

/// A process that conducts.
pub(crate) struct Process {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Process {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends as a process that is killed: nothing is given back.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{what}");
}

pub(crate) fn system() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::System("a test looks at all tenants");
    parts.build()
}
