//! Whether a frozen process is inside a transaction that writes: only such a kill tests anything but luck.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// Primary result code of SQLite for a lock that another holds.
const SQLITE_BUSY: u32 = 5;

/// Where the process keeps its records.
pub(crate) enum Database {
    /// The file of the domain that takes orders.
    Sqlite { orders: PathBuf },
    /// A database of its own.
    Postgres { url: String },
}

impl Database {
    /// The database at `url`, or SQLite in the data folder within `folder`.
    pub(crate) fn new(url: Option<String>, folder: &Path) -> Self {
        match url {
            Some(url) => Self::Postgres { url },
            None => Self::Sqlite { orders: folder.join("data").join("orders.db") },
        }
    }

    /// True if a write transaction is open.
    pub(crate) async fn writes(&self) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite { orders } => writes_sqlite(orders).await,
            Self::Postgres { url } => writes_postgres(url).await,
        }
    }
}

/// SQLite has one writer: if we cannot become it, the other is.
async fn writes_sqlite(file: &Path) -> Result<bool, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::ZERO);
    let mut connection: SqliteConnection = options.connect().await?;
    let taken = match sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await {
        Ok(_) => {
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            false
        }
        Err(sqlx::Error::Database(error)) if is_busy(error.code().as_deref()) => true,
        Err(error) => return Err(error),
    };
    connection.close().await?;
    Ok(taken)
}

/// Extended result codes have the primary one in their lowest byte.
fn is_busy(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// PostgreSQL gives a transaction its id with its first write.
async fn writes_postgres(url: &str) -> Result<bool, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(open)
}
