//! The databases of a process: one PostgreSQL, or a folder of SQLite files.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use secrecy::SecretString;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::Mutex;

use crate::{
    DomainSchema, PageTokens, Store, StoreError, migrate, postgres,
    postgres::Roles,
    sqlite,
    store::{Backend, Inner, Texts},
};

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
        }
    }

    /// The same on PostgreSQL.
    pub fn postgres(url: SecretString) -> Self {
        Self { url: Some(url), ..Self::sqlite("") }
    }
}

/// The databases of a process. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Databases {
    settings: Arc<Settings>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Postgres {
        pool: PgPool,
        options: Box<PgConnectOptions>,
        migration: Box<PgConnectOptions>,
    },
    /// The files that are open, by domain: a second writer of one file would only wait for the first.
    Sqlite {
        files: Arc<Mutex<BTreeMap<&'static str, sqlite::Pools>>>,
    },
}

impl Databases {
    /// Opens what the settings name, and reaches it once.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let kind = if let Some(url) = &settings.url {
            let options = postgres::options(url, "url")?;
            let migration = match &settings.migration_url {
                Some(url) => postgres::options(url, "migration_url")?,
                None => options.clone(),
            };
            drop(postgres::connect(&options, settings.acquire_timeout).await?);
            let pool = postgres::pool(options.clone(), settings);
            Kind::Postgres { pool, options: Box::new(options), migration: Box::new(migration) }
        } else {
            sqlite::make_folder(&settings.data_dir)?;
            Kind::Sqlite { files: Arc::default() }
        };
        Ok(Self { settings: Arc::new(settings.clone()), kind })
    }

    /// Applies the migrations that are not applied yet, and on PostgreSQL makes the domain's schema,
    /// roles and row-level security. Several processes may do so at once: they take turns.
    pub async fn migrate(&self, schema: &DomainSchema) -> Result<(), StoreError> {
        schema.check_names()?;
        match &self.kind {
            Kind::Postgres { options, migration, .. } => {
                let connection = postgres::connect(migration, self.settings.acquire_timeout).await?;
                migrate::postgres::run(connection, options.get_username(), schema).await
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
            Kind::Postgres { pool, options, .. } => migrate::postgres::pending(pool, &postgres::describe(options), schema).await,
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
            Kind::Postgres { pool, options, .. } => {
                let backend = Backend::Postgres { pool: pool.clone(), roles: Roles::of(schema.domain()) };
                (backend, postgres::describe(options))
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
        };
        let inner = Arc::new(inner);
        let page_tokens = PageTokens::load(&inner).await?;
        Ok(Store::new(inner, page_tokens))
    }

    /// Closes every connection, once the work on it is done.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Postgres { pool, .. } => pool.close().await,
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
