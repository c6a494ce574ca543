//! sqlx alone, doing what the store does: the same role, tenant, isolation and limit, the same statements.

use std::time::Duration;

use chrono::Utc;
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

use crate::records::{ADD_TEXT, GET_TEXT, Place, SET_TEXT, TENANT};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Pools like those of the store.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Postgres(PgPool),
    Sqlite { writer: SqlitePool, readers: SqlitePool },
}

impl Raw {
    pub(crate) async fn open(place: &Place) -> anyhow::Result<Self> {
        match place {
            Place::Url(url) => {
                let options: PgConnectOptions = url.parse()?;
                let pool = PgPoolOptions::new().max_connections(24).test_before_acquire(false);
                Ok(Self::Postgres(pool.connect_with(options.statement_cache_capacity(1024)).await?))
            }
            Place::Folder(folder) => {
                let options = SqliteConnectOptions::new()
                    .filename(folder.join("raw.db"))
                    .create_if_missing(true)
                    .foreign_keys(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .pragma("secure_delete", "ON")
                    .busy_timeout(Duration::from_secs(5))
                    .statement_cache_capacity(256);
                let pool = |size| SqlitePoolOptions::new().max_connections(size).test_before_acquire(false).idle_timeout(None);
                let writer = pool(1).connect_with(options.clone()).await?;
                MIGRATIONS.run(&writer).await?;
                let readers = pool(4).connect_with(options.read_only(true).pragma("query_only", "ON")).await?;
                Ok(Self::Sqlite { writer, readers })
            }
        }
    }

    /// Adds an item, reads it back, and changes it, in one transaction.
    pub(crate) async fn write(&self, id: Uuid) -> anyhow::Result<()> {
        match self {
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                begin(&mut connection, "SERIALIZABLE, READ WRITE").await?;
                let add = sqlx::query(ADD_TEXT).bind(TENANT.0).bind(id).bind("teapot").bind(1_i64).bind(Utc::now());
                add.execute(&mut *connection).await?;
                let (_, amount) = get_postgres(&mut connection, id).await?;
                sqlx::query(SET_TEXT).bind(TENANT.0).bind(id).bind(amount + 1).execute(&mut *connection).await?;
                raw_sql("COMMIT").execute(&mut *connection).await?;
            }
            Self::Sqlite { writer, .. } => {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                let add = sqlx::query(ADD_TEXT).bind(TENANT.0).bind(id).bind("teapot").bind(1_i64).bind(Utc::now());
                add.execute(&mut *transaction).await?;
                let (_, amount) = get_sqlite(&mut transaction, id).await?;
                sqlx::query(SET_TEXT).bind(TENANT.0).bind(id).bind(amount + 1).execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// Reads an item in a transaction that only reads.
    pub(crate) async fn read(&self, id: Uuid) -> anyhow::Result<i64> {
        match self {
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                begin(&mut connection, "REPEATABLE READ, READ ONLY").await?;
                let (_, amount) = get_postgres(&mut connection, id).await?;
                raw_sql("COMMIT").execute(&mut *connection).await?;
                Ok(amount)
            }
            Self::Sqlite { readers, .. } => {
                let mut transaction = readers.begin_with("BEGIN DEFERRED").await?;
                let (_, amount) = get_sqlite(&mut transaction, id).await?;
                transaction.commit().await?;
                Ok(amount)
            }
        }
    }
}

/// As the store begins, in one round trip.
async fn begin(connection: &mut PgConnection, mode: &str) -> anyhow::Result<()> {
    let text = format!(
        "BEGIN ISOLATION LEVEL {mode}; SET LOCAL ROLE weft_shop; SET LOCAL search_path = weft_shop; \
         SET LOCAL weft.tenant = '{}'; SET LOCAL statement_timeout = 30000",
        TENANT.0
    );
    raw_sql(AssertSqlSafe(text)).execute(connection).await?;
    Ok(())
}

async fn get_postgres(connection: &mut PgConnection, id: Uuid) -> anyhow::Result<(String, i64)> {
    Ok(sqlx::query_as(GET_TEXT).bind(TENANT.0).bind(id).fetch_one(connection).await?)
}

async fn get_sqlite(connection: &mut SqliteConnection, id: Uuid) -> anyhow::Result<(String, i64)> {
    Ok(sqlx::query_as(GET_TEXT).bind(TENANT.0).bind(id).fetch_one(connection).await?)
}
