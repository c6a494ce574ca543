//! SQLite: a file a domain, with one writer and some readers.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time::{Instant, sleep};
use tracing::log::LevelFilter;

use crate::{Settings, StoreError, error::Verdict};

/// Readers of one file. WAL lets them read beside the writer.
const READERS: u32 = 4;

/// How long a lock of another process is waited for.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// About how long it takes another process to begin the log of a file.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// How long somebody else may take to close a file that is wanted for oneself.
const ALONE_LIMIT: Duration = Duration::from_secs(1);

/// Statements that a connection keeps prepared: a domain has some dozens.
const PREPARED_LIMIT: usize = 256;

/// The pools of one file. Cloning gives other handles of the same pools.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

/// Makes the folder, for its owner alone.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let unusable = |source| StoreError::FolderUnusable { folder: folder.to_owned(), source };
    builder.create(folder).map_err(unusable)
}

/// The file of a domain.
pub(crate) fn file(folder: &Path, domain: &str) -> PathBuf {
    folder.join(format!("{domain}.db"))
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged commit survives a loss of power.
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten: it may be somebody's who asked for that.
        .pragma("secure_delete", "ON")
        .busy_timeout(BUSY_LIMIT)
        .statement_cache_capacity(PREPARED_LIMIT)
        .log_statements(LevelFilter::Off)
        .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1))
}

/// One connection beside the pools, for migrations. It may make the file.
///
/// To begin a write-ahead log is to go from reading to having the file alone, and there SQLite does not wait, whatever the
/// limit: two that do so at once would wait for each other. Whoever is refused begins anew.
pub(crate) async fn connect(file: &Path) -> Result<SqliteConnection, StoreError> {
    let end = Instant::now() + BUSY_LIMIT;
    loop {
        match SqliteConnection::connect_with(&options(file)).await {
            Err(error) if Verdict::of(&error) == Verdict::Conflict && Instant::now() < end => {
                sleep(BUSY_PAUSE.mul_f64(0.5 + fastrand::f64())).await;
            }
            outcome => {
                return outcome.map_err(|source| StoreError::Unreachable { database: file.display().to_string(), source });
            }
        }
    }
}

/// One connection that changes nothing, for copies. It joins whoever else has the file open.
pub(crate) async fn connect_to_read(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).busy_timeout(BUSY_LIMIT);
    SqliteConnection::connect_with(&options.log_statements(LevelFilter::Off)).await
}

/// One connection that nobody else has the file open beside, once it has begun a transaction.
pub(crate) async fn connect_alone(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).locking_mode(SqliteLockingMode::Exclusive);
    SqliteConnection::connect_with(&options.busy_timeout(ALONE_LIMIT).log_statements(LevelFilter::Off)).await
}

/// Opens the file of a domain.
pub(crate) async fn open(file: &Path, settings: &Settings) -> Result<Pools, StoreError> {
    let unreachable = |source| StoreError::Unreachable { database: file.display().to_string(), source };
    // One connection that stays: writers wait for it in order instead of for a lock by chance.
    let pool = |size| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool(1).connect_with(options(file)).await.map_err(unreachable)?;
    // The writer comes first: readers may not make the file or its write-ahead log.
    let read_only = options(file).create_if_missing(false).read_only(true).pragma("query_only", "ON");
    let readers = pool(READERS).connect_with(read_only).await.map_err(unreachable)?;
    Ok(Pools { writer, readers })
}
