//! Whether a frozen process is inside a transaction that writes: only such a kill tests anything but luck.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// Primary result code of SQLite for a lock that another holds.
const SQLITE_BUSY: u32 = 5;
/// The same for a write-ahead log that could not be entered in ten seconds of trying: somebody froze in one of the few instructions
/// in which readers and writers alike must wait for each other.
const SQLITE_PROTOCOL: u32 = 15;

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

/// SQLite has one writer: if we cannot become it, the other is. Where neither readers nor writers get in nobody can tell, and the
/// answer is no: what is counted is what is known.
async fn writes_sqlite(file: &Path) -> Result<bool, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::ZERO);
    let mut connection: SqliteConnection = options.connect().await?;
    let taken = match sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await {
        Ok(_) => {
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            false
        }
        Err(sqlx::Error::Database(error)) if primary_code(error.code().as_deref()) == Some(SQLITE_BUSY) => true,
        Err(sqlx::Error::Database(error)) if primary_code(error.code().as_deref()) == Some(SQLITE_PROTOCOL) => false,
        Err(error) => return Err(error),
    };
    connection.close().await?;
    Ok(taken)
}

/// Extended result codes have the primary one in their lowest byte.
fn primary_code(code: Option<&str>) -> Option<u32> {
    Some(code?.parse::<u32>().ok()? & 0xff)
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

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Where the second copy of the header counts changes in the index of a write-ahead log, section 2.1 of
    /// https://www.sqlite.org/walformat.html ("iChange").
    const CHANGES_OF_THE_SECOND_COPY: u64 = 48 + 8;

    /// A connection to a new file, in a write transaction.
    async fn writer(file: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut writer = options.connect().await.expect("the file opens");
        for step in ["PRAGMA journal_mode = WAL", "CREATE TABLE orders (id INTEGER)", "BEGIN IMMEDIATE"] {
            sqlx::raw_sql(step).execute(&mut writer).await.expect(step);
        }
        writer
    }

    #[tokio::test]
    async fn only_an_open_write_transaction_is_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.db");
        let mut writer = writer(&file).await;
        assert!(writes_sqlite(&file).await.expect("answered"));
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.expect("committed");
        assert!(!writes_sqlite(&file).await.expect("answered"));
    }

    #[tokio::test]
    async fn a_process_frozen_where_nobody_gets_in_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.db");
        let _writer = writer(&file).await;
        // One copy of the header is new and the other old, as between the two stores that publish a commit.
        let index = std::fs::File::options().write(true).open(folder.path().join("orders.db-shm")).expect("the index");
        index.write_all_at(&[0xff], CHANGES_OF_THE_SECOND_COPY).expect("written");
        assert!(!writes_sqlite(&file).await.expect("answered"));
    }
}
