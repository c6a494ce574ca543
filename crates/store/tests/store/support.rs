//! A database for each test, with the tables of a small domain.

use std::{future::Future, time::Duration};

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;
use weft_call::{
    Access, Audit, Call, CallBuilder, Clock, Digest, Error, Idempotency, IdempotencyKey, MethodContract, MethodKind, Principal,
    Scope, TenantId,
};
use weft_store::{Databases, DomainSchema, Json, Migrations, Read, Settings, Store, StoreError, Tx, statements};

static SHARED: Migrator = sqlx::migrate!("tests/store/migrations");
static POSTGRES: Migrator = sqlx::migrate!("tests/store/migrations/postgres");
pub(crate) static MIGRATIONS: Migrations = Migrations { shared: &SHARED, postgres: Some(&POSTGRES) };

statements! {
    INSERT_THING = "INSERT INTO things (tenant_id, id, name, quantity, active, meta, payload, seen_at, gone_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    GET_THING = "SELECT id, name, quantity, active, meta, payload, seen_at, gone_at FROM things WHERE tenant_id = $1 AND id = $2";
    LIST_NAMES = "SELECT name FROM things WHERE tenant_id = $1 ORDER BY name LIMIT 100000";
    COUNT_THINGS = "SELECT count(*) FROM things WHERE tenant_id = $1";
    GET_QUANTITY = "SELECT quantity FROM things WHERE tenant_id = $1 AND name = $2";
    SET_QUANTITY = "UPDATE things SET quantity = $3 WHERE tenant_id = $1 AND name = $2";
    INSERT_NOTE = "INSERT INTO notes (tenant_id, id, thing_id) VALUES ($1, $2, $3)";
    /// Forgets the tenant: row-level security must hold it.
    COUNT_FORGETFUL = "SELECT count(*) FROM things WHERE tenant_id = $1 OR TRUE";
    /// Takes 300 ms on PostgreSQL, and some on SQLite.
    SLOW =
        postgres "SELECT 1 FROM pg_sleep(0.3), (SELECT $1::uuid AS tenant_id) AS t"
        sqlite "WITH RECURSIVE n (i, tenant_id) AS (SELECT 1, $1 UNION ALL SELECT i + 1, tenant_id FROM n WHERE i < 300000) \
            SELECT count(*) FROM n";
    system COUNT_ALL_THINGS = "SELECT count(*) FROM things";
    system INSERT_ACCOUNT = "INSERT INTO accounts (id, email) VALUES ($1, $2)";
    system FIND_ACCOUNT = "SELECT id FROM accounts WHERE email = $1";
}

/// Statements of another module, which no schema registers.
pub(crate) mod unregistered {
    weft_store::statements! {
        NOT_REGISTERED = "SELECT count(*) FROM things WHERE tenant_id = $1 AND 2 > 1";
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Runs one behaviour on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($bench:ident) $body:block)+) => { $(
        mod $name {
            #[allow(unused_imports, reason = "each behaviour uses what it needs")]
            use super::*;

            $(#[$meta])*
            async fn behaviour($bench: $crate::support::Bench) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                behaviour($crate::support::Bench::new($crate::support::Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                behaviour($crate::support::Bench::new($crate::support::Backend::Postgres).await).await;
            }
        }
    )+ };
}
pub(crate) use on_both;

/// A migrated domain `things`, whose service logs in as a user that owns nothing.
pub(crate) struct Bench {
    pub(crate) backend: Backend,
    pub(crate) settings: Settings,
    pub(crate) databases: Databases,
    pub(crate) store: Store,
    /// PostgreSQL's superuser; `None` on SQLite.
    pub(crate) admin: Option<Url>,
    pub(crate) folder: TempDir,
}

pub(crate) fn schema() -> DomainSchema {
    DomainSchema::new("things")
        .migrations(MIGRATIONS)
        .statements(STATEMENTS)
        .statements(crate::outbox::STATEMENTS)
        .statements(crate::seeking::STATEMENTS)
}

/// A store whose database has no tables yet.
pub(crate) struct Empty {
    pub(crate) settings: Settings,
    pub(crate) admin: Option<Url>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn empty(backend: Backend) -> Empty {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::sqlite(folder.path());
    settings.max_connections = 8;
    let mut admin = None;
    if backend == Backend::Postgres {
        let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
        settings.url = Some(login(&url, "").await);
        settings.migration_url = Some(secret(&url));
        admin = Some(url);
    }
    Empty { settings, admin, folder }
}

pub(crate) fn secret(url: &Url) -> SecretString {
    url.to_string().into()
}

/// A new user that may log in, with `attributes` such as CREATEROLE, as its URL.
pub(crate) async fn login(admin: &Url, attributes: &str) -> SecretString {
    let user = format!("login_{}", Uuid::new_v4().simple());
    execute(admin, &format!("CREATE ROLE {user} LOGIN PASSWORD 'weft' {attributes}")).await;
    let mut url = admin.clone();
    url.set_username(&user).unwrap();
    url.set_password(Some("weft")).unwrap();
    secret(&url)
}

/// Runs SQL of a test's own making.
pub(crate) async fn execute(url: &Url, text: &str) {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl Bench {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    pub(crate) async fn with(backend: Backend, change: impl FnOnce(&mut Settings)) -> Self {
        let Empty { mut settings, admin, folder } = empty(backend).await;
        change(&mut settings);
        let databases = Databases::open(&settings).await.unwrap();
        databases.migrate(&schema()).await.unwrap();
        let store = databases.store(&schema()).await.unwrap();
        Self { backend, settings, databases, store, admin, folder }
    }

    /// Adds a thing for a tenant.
    pub(crate) async fn add(&self, tenant: TenantId, name: &str) {
        self.store.write(&call(tenant), async |tx| Ok(insert(&tx, &thing(name)).await?)).await.unwrap();
    }

    /// The names of a tenant's things.
    pub(crate) async fn names(&self, tenant: TenantId) -> Vec<String> {
        names_in(&self.store, tenant).await
    }

    pub(crate) async fn quantity(&self, tenant: TenantId, name: &str) -> i64 {
        let get = async |read: Read| Ok(read.run(&GET_QUANTITY).bind(name).fetch_value().await?);
        self.store.read(&call(tenant), get).await.unwrap()
    }
}

/// The names of a tenant's things in some store.
pub(crate) async fn names_in(store: &Store, tenant: TenantId) -> Vec<String> {
    store.read(&call(tenant), async |read: Read| Ok(read.run(&LIST_NAMES).fetch_values().await?)).await.unwrap()
}

#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct Thing {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) active: bool,
    pub(crate) meta: Json<Vec<String>>,
    pub(crate) payload: Vec<u8>,
    pub(crate) seen_at: chrono::DateTime<chrono::Utc>,
    pub(crate) gone_at: Option<chrono::DateTime<chrono::Utc>>,
}

pub(crate) fn thing(name: &str) -> Thing {
    Thing {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        quantity: 10,
        active: true,
        meta: Json(vec!["red".to_owned(), "ä\"".to_owned()]),
        payload: vec![0, 1, 255],
        seen_at: Clock::system().now(),
        gone_at: None,
    }
}

pub(crate) async fn insert(tx: &Tx, thing: &Thing) -> Result<(), StoreError> {
    let insert = tx.run(&INSERT_THING).bind(thing.id).bind(&thing.name).bind(thing.quantity).bind(thing.active);
    let insert = insert.bind(&thing.meta).bind(&thing.payload).bind(thing.seen_at).bind(thing.gone_at);
    insert.execute().await.map(drop)
}

/// What the store said, under the error that a caller sees.
pub(crate) fn cause(error: &Error) -> &StoreError {
    std::error::Error::source(error).and_then(|source| source.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}

pub(crate) fn tenant() -> TenantId {
    TenantId(Uuid::now_v7())
}

pub(crate) fn in_scope(scope: Scope) -> Call {
    call_with(|parts| parts.scope = scope)
}

/// A call for a tenant, by no method.
pub(crate) fn call(tenant: TenantId) -> Call {
    in_scope(Scope::Tenant(tenant))
}

pub(crate) fn system() -> Call {
    in_scope(Scope::System("a test looks at all tenants"))
}

pub(crate) fn call_with(change: impl FnOnce(&mut CallBuilder)) -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    change(&mut parts);
    parts.build()
}

const fn method(path: &'static str, idempotency: Idempotency) -> MethodContract {
    MethodContract {
        index: 0,
        domain: "things",
        service: "weft.things.v1.Things",
        name: "Method",
        path,
        input: "weft.things.v1.Request",
        output: "weft.things.v1.Thing",
        kind: MethodKind::Unary,
        access: Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false },
        system: None,
        deadline: Some(Duration::from_secs(2)),
        idempotency,
        replica: false,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}

pub(crate) static CREATE: MethodContract = method("/weft.things.v1.Things/Create", Idempotency::Keyed);
pub(crate) static RENAME: MethodContract = method("/weft.things.v1.Things/Rename", Idempotency::Keyed);
pub(crate) static LIST: MethodContract = method("/weft.things.v1.Things/List", Idempotency::Read);
/// As [`LIST`], and a replica may answer it.
pub(crate) static BROWSE: MethodContract =
    MethodContract { replica: true, ..method("/weft.things.v1.Things/Browse", Idempotency::Read) };

/// One attempt of a KEYED call.
pub(crate) fn keyed(tenant: TenantId, key: &str, request: &str) -> Call {
    keyed_with(tenant, key, request, |_| {})
}

pub(crate) fn keyed_with(tenant: TenantId, key: &str, request: &str, change: impl FnOnce(&mut CallBuilder)) -> Call {
    call_with(|parts| {
        parts.scope = Scope::Tenant(tenant);
        parts.method = Some(&CREATE);
        parts.principal = Principal::Workload("orders".into());
        parts.idempotency_key = Some(IdempotencyKey::parse(key).unwrap());
        parts.digest = Some(Digest::of(request.as_bytes()));
        change(parts);
    })
}

/// Polls a future at most `polls` times and drops it then; `None` if it was not done.
pub(crate) async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
