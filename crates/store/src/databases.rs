//! The databases of a process: one PostgreSQL, or a folder of SQLite files.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use secrecy::SecretString;
use sqlx::{Row, postgres::PgConnectOptions};
use tokio::sync::Mutex;
use weft_telemetry::Metrics;

use crate::{
    DomainSchema, PageTokens, Store, StoreError, Watch,
    measure::Connections,
    migrate, postgres,
    postgres::{Pool, Roles},
    replica::{Owed, Replica, ReplicaSettings},
    sqlite,
    store::{Backend, Inner, Texts},
    watch,
};

/// What stands between a process and PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing, or what gives each connection a server's session of its own.
    #[default]
    None,
    /// A pooler that gives a server's session for one transaction at a time, such as PgBouncer with
    /// `pool_mode = transaction`: nothing outlives a transaction, so no statement stays prepared.
    Transaction,
}

/// Where the databases are, and how much of them one process may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// PostgreSQL, as `postgres://user:password@host:5432/name`; `None` for SQLite in `data_dir`.
    pub url: Option<SecretString>,
    /// PostgreSQL under the user that migrates; `None` for the user of `url`.
    pub migration_url: Option<SecretString>,
    /// The folder for SQLite files.
    pub data_dir: PathBuf,
    /// Connections of this process to PostgreSQL, shared by all its domains.
    pub max_connections: u32,
    /// The longest wait for a connection.
    pub acquire_timeout: Duration,
    /// The longest that one statement may run on PostgreSQL; a call's deadline shortens it.
    pub statement_timeout: Duration,
    /// The longest that a connection to PostgreSQL is used before another takes its place.
    pub max_lifetime: Duration,
    /// Statements that each connection to PostgreSQL keeps prepared.
    pub prepared_statements: usize,
    /// What stands between the process and PostgreSQL.
    pub pooler: Pooler,
    /// A replica of PostgreSQL for the methods that may be answered from one.
    pub replica: Option<ReplicaSettings>,
    /// Sees the statements that run; for tests.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Settings {
    /// SQLite in a folder, with limits that suit a laptop.
    pub fn sqlite(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            url: None,
            migration_url: None,
            data_dir: data_dir.into(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            max_lifetime: Duration::from_mins(30),
            prepared_statements: 1024,
            pooler: Pooler::None,
            replica: None,
            watch: None,
        }
    }

    /// The same on PostgreSQL.
    pub fn postgres(url: SecretString) -> Self {
        Self { url: Some(url), ..Self::sqlite("") }
    }
}

/// Whether [`Databases::open`] would understand the address of a PostgreSQL database.
pub fn check_url(url: &SecretString) -> Result<(), StoreError> {
    postgres::options(url, "the address").map(drop)
}

/// The databases of a process. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Databases {
    settings: Arc<Settings>,
    kind: Kind,
    measured: Option<Measuring>,
}

/// Where work is counted, and who tells of connections for as long as there are databases.
#[derive(Clone, Debug)]
struct Measuring {
    metrics: Metrics,
    _connections: Arc<Connections>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Postgres {
        pool: Pool,
        migration: Migration,
        replica: Option<Arc<Replica>>,
    },
    /// The files that are open, by domain: a second writer of one file would only wait for the first.
    Sqlite {
        files: Arc<Mutex<BTreeMap<&'static str, sqlite::Pools>>>,
    },
}

/// Who migrates. The driver's own `Debug` shows the password.
#[derive(Clone)]
pub(crate) struct Migration(Box<PgConnectOptions>);

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Migration").field(&postgres::describe(&self.0)).finish()
    }
}

impl Databases {
    /// Opens what the settings name, and reaches it once.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let kind = if let Some(url) = &settings.url {
            let migration = match &settings.migration_url {
                Some(url) => postgres::options(url, "migration_url")?,
                None => postgres::options(url, "url")?,
            };
            let options = postgres::serving(postgres::options(url, "url")?, settings);
            drop(postgres::connect(&options, settings.acquire_timeout).await?);
            let (pool, migration) = (Pool::new(options, settings), Migration(Box::new(postgres::direct(migration))));
            let replica = match &settings.replica {
                Some(replica) => Some(Replica::open(settings, replica, &pool).await?),
                None => None,
            };
            Kind::Postgres { pool, migration, replica }
        } else if settings.replica.is_some() {
            return Err(StoreError::ReplicaWithoutServer);
        } else {
            sqlite::make_folder(&settings.data_dir)?;
            Kind::Sqlite { files: Arc::default() }
        };
        Ok(Self { settings: Arc::new(settings.clone()), kind, measured: None })
    }

    /// Counts the work of the stores that are opened from now on, and tells of the connections.
    #[must_use]
    pub fn measured_by(mut self, metrics: &Metrics) -> Self {
        let connections = Arc::new(Connections::new(self.kind.clone(), &self.settings));
        metrics.watch(Arc::downgrade(&connections) as _);
        self.measured = Some(Measuring { metrics: metrics.clone(), _connections: connections });
        self
    }

    /// Applies the migrations that are not applied yet, and on PostgreSQL makes the domain's schema,
    /// roles and row-level security. Several processes may do so at once: they take turns.
    pub async fn migrate(&self, schema: &DomainSchema) -> Result<(), StoreError> {
        schema.check_names()?;
        match &self.kind {
            Kind::Postgres { pool, migration: Migration(options), .. } => {
                let server = postgres::describe(options);
                // Who migrates holds a lock from one transaction to the next.
                if self.settings.pooler == Pooler::Transaction && server == postgres::describe(&pool.options()) {
                    return Err(StoreError::MigrationsThroughPooler { pooler: server });
                }
                let connection = postgres::connect(options, self.settings.acquire_timeout).await?;
                migrate::postgres::run(connection, pool.options().get_username(), schema).await
            }
            Kind::Sqlite { .. } => {
                let file = sqlite::file(&self.settings.data_dir, schema.domain());
                migrate::sqlite::run(sqlite::connect(&file).await?, schema).await
            }
        }
    }

    /// The migrations that are not applied yet, as `orders/0002_totals`.
    pub async fn pending(&self, schema: &DomainSchema) -> Result<Vec<String>, StoreError> {
        schema.check_names()?;
        match &self.kind {
            Kind::Postgres { pool, .. } => migrate::postgres::pending(pool, &postgres::describe(&pool.options()), schema).await,
            Kind::Sqlite { .. } => {
                let file = sqlite::file(&self.settings.data_dir, schema.domain());
                migrate::sqlite::pending(&file, schema).await
            }
        }
    }

    /// The store of a domain, whose migrations must be applied.
    pub async fn store(&self, schema: &DomainSchema) -> Result<Store, StoreError> {
        let pending = self.pending(schema).await?;
        if !pending.is_empty() {
            return Err(StoreError::MigrationsPending { domain: schema.domain(), pending });
        }
        let (backend, database) = match &self.kind {
            Kind::Postgres { pool, replica, .. } => {
                let (roles, replica) = (Roles::of(schema.domain()), replica.clone());
                let backend = Backend::Postgres { pool: pool.clone(), roles, replica };
                (backend, postgres::describe(&pool.options()))
            }
            Kind::Sqlite { files } => {
                let file = sqlite::file(&self.settings.data_dir, schema.domain());
                let mut files = files.lock().await;
                let pools = match files.get(schema.domain()) {
                    Some(pools) => pools.clone(),
                    None => sqlite::open(&file, &self.settings).await?,
                };
                files.insert(schema.domain(), pools.clone());
                (Backend::Sqlite(pools), file.display().to_string())
            }
        };
        let texts = texts(schema, &backend);
        let inner = Inner {
            domain: schema.domain(),
            database,
            backend,
            texts,
            settings: Arc::clone(&self.settings),
            published: Arc::default(),
            metrics: self.measured.as_ref().map(|measured| measured.metrics.records(schema.domain())),
            owed: Owed::default(),
        };
        let inner = Arc::new(inner);
        let page_tokens = PageTokens::load(&inner).await?;
        if let Some(watch) = &self.settings.watch {
            watch.opened(schema.domain(), watch::tenant_tables(&inner).await?);
        }
        Ok(Store::new(inner, page_tokens))
    }

    /// Logs in by the user and password of `url` from now on; connections that are open stay. Between this and the
    /// server's own change, in whichever order they come, no work fails for want of a login; see the pool. Without
    /// PostgreSQL there is nobody to log in.
    pub fn rotate_login(&self, url: &SecretString) -> Result<(), StoreError> {
        let Kind::Postgres { pool, .. } = &self.kind else { return Ok(()) };
        let options = postgres::serving(postgres::options(url, "database.url")?, &self.settings);
        let (here, there) = (postgres::describe(&pool.options()), postgres::describe(&options));
        if here != there {
            return Err(StoreError::OtherDatabase { here, there });
        }
        pool.rotate(options);
        Ok(())
    }

    /// The same for the replica, if there is one.
    pub fn rotate_replica_login(&self, url: &SecretString) -> Result<(), StoreError> {
        let Kind::Postgres { replica: Some(replica), .. } = &self.kind else { return Ok(()) };
        let options = postgres::serving(postgres::options(url, "database.replica_url")?, &self.settings);
        let (here, there) = (replica.describe(), postgres::describe(&options));
        if here != there {
            return Err(StoreError::OtherDatabase { here, there });
        }
        replica.rotate(options);
        Ok(())
    }

    /// What time it is on the database's server; nothing where there is none.
    pub async fn server_time(&self) -> Result<Option<SystemTime>, StoreError> {
        let Kind::Postgres { pool, .. } = &self.kind else { return Ok(None) };
        let options = pool.options();
        let mut connection = postgres::connect(&options, self.settings.acquire_timeout).await?;
        let answer = sqlx::raw_sql("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut connection).await;
        let seconds: f64 = answer
            .and_then(|row| row.try_get(0))
            .map_err(|source| StoreError::Unreachable { database: postgres::describe(&options), source })?;
        Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)))
    }

    /// Closes every connection, once the work on it is done.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Postgres { pool, replica, .. } => {
                if let Some(replica) = replica {
                    replica.close().await;
                }
                pool.close().await;
            }
            Kind::Sqlite { files } => {
                for pools in std::mem::take(&mut *files.lock().await).into_values() {
                    pools.readers.close().await;
                    pools.writer.close().await;
                }
            }
        }
    }
}

/// The texts that a domain may run. On PostgreSQL each starts with the domain's name: domains share
/// connections, a connection keeps what it prepared by its text, and the same text means another
/// table in another domain.
fn texts(schema: &DomainSchema, backend: &Backend) -> Texts {
    let text = |statement: &'static crate::Statement| match backend {
        Backend::Postgres { .. } => (statement.postgres(), format!("/* {} */ {}", schema.domain(), statement.postgres()).into()),
        Backend::Sqlite(_) => (statement.sqlite(), statement.sqlite().into()),
    };
    schema.all_statements().map(text).collect::<HashMap<_, _>>()
}
