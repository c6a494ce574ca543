//! Reads from a replica, where its caller misses nothing there.
//!
//! Problem: a replica that follows its primary is behind, by milliseconds or, when it is disturbed, by any time. Whoever has
//! just placed an order and does not find it in the list places it again. Rule: a method whose contract says `replica` reads
//! from the replica if it has replayed the log up to two places: the one where the caller's last write through this domain
//! ended ([`WriteNotes`], which all processes of the domain share; a write is noted before it is answered), and the one
//! where the primary's log was [`ReplicaSettings::max_lag`] ago. Both are asked of the replica before the transaction takes its
//! view, in the same round trip. Otherwise, and in every other method, the primary answers.
//!
//! What others wrote may be missing, and may be missing again after it was there: reads are not monotonic across the two.
//!
//! Recovery: where the notes cannot be read, or the replica does not answer, breaks off or was promoted, the primary answers. A
//! memory of notes that forgot everything is known by its missing base: the next read sets it to where the primary's log is
//! then, behind all that was forgotten. A note that cannot be written is owed by its process, which reads from the primary until
//! it has raised the base instead; another process may meanwhile miss that write, by `max_lag` at most.

mod follow;
mod notes;
mod reading;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Row, postgres::PgConnectOptions, raw_sql};
use tokio::{task::AbortHandle, time::timeout};
use weft_telemetry::{Metrics, ReplicaRead};

use crate::{
    Settings, StoreError,
    postgres::{self, PgTransaction, Pool},
};

use follow::{Followed, Known};
pub(crate) use notes::Owed;
pub use notes::{LogPosition, Noted, NotesUnavailable, WriteNotes, Writer};
pub(crate) use reading::{Reading, note, note_repeat};

/// How long a read waits for a connection to the replica before the primary answers it.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(250);

/// How long a question about places in the log may take.
const ASK_LIMIT: Duration = Duration::from_secs(1);

/// Where a primary's log is.
pub(crate) const WRITTEN: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";

/// A replica of the database, and what says who may read from it.
#[derive(Clone, Debug)]
pub struct ReplicaSettings {
    /// The replica, as [`Settings::url`] is written.
    pub url: SecretString,
    /// Connections of this process to it.
    pub max_connections: u32,
    /// The furthest that it may be behind.
    pub max_lag: Duration,
    /// How far callers have written, as all processes know together.
    pub notes: Arc<dyn WriteNotes>,
    /// Counts who answered.
    pub metrics: Metrics,
}

/// The replica that a process reads from.
pub(crate) struct Replica {
    pool: Pool,
    pub(crate) settings: ReplicaSettings,
    followed: Arc<Followed>,
    following: AbortHandle,
}

impl Replica {
    /// Begins to follow it, whether it answers or not.
    pub(crate) async fn open(settings: &Settings, replica: &ReplicaSettings, primary: &Pool) -> Result<Arc<Self>, StoreError> {
        let options = postgres::serving(postgres::options(&replica.url, "database.replica_url")?, settings);
        let pool = Pool::new(
            options,
            &Settings {
                max_connections: replica.max_connections,
                acquire_timeout: ACQUIRE_LIMIT.min(settings.acquire_timeout),
                ..settings.clone()
            },
        );
        let followed = Arc::new(Followed::new(primary.clone(), pool.clone(), replica.max_lag, replica.metrics.clone()));
        followed.begin().await;
        let following = tokio::spawn(Arc::clone(&followed).follow()).abort_handle();
        Ok(Arc::new(Self { pool, settings: replica.clone(), followed, following }))
    }

    /// Logs in by these from now on.
    pub(crate) fn rotate(&self, options: PgConnectOptions) {
        self.pool.rotate(options);
    }

    /// How people are told of it.
    pub(crate) fn describe(&self) -> String {
        postgres::describe(&self.pool.options())
    }

    pub(crate) async fn close(&self) {
        self.following.abort();
        self.pool.close().await;
    }

    /// The place that it must have replayed for anybody; `None` if it is down, or how far the primary is is not known.
    pub(crate) fn least(&self) -> Option<LogPosition> {
        self.followed.least()
    }

    /// Begins a transaction there by `text`, if it has replayed the log up to `position`; else says who answers.
    pub(crate) async fn begin(&self, position: LogPosition, text: &str) -> Result<PgTransaction, ReplicaRead> {
        // The view is taken after the question: what is replayed meanwhile can only add to it.
        let text = format!(
            "BEGIN READ ONLY; SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= '{position}'::pg_lsn; COMMIT; {text}"
        );
        let mut dead = 0;
        loop {
            let connection = match self.pool.acquire().await {
                Ok(connection) => connection,
                // All of them are busy: that says nothing of the replica.
                Err(sqlx::Error::PoolTimedOut) if self.pool.is_full() => return Err(ReplicaRead::Down),
                Err(error) => return Err(self.failed(&error)),
            };
            match PgTransaction::begin_if(connection, text.clone()).await {
                Ok(Some(transaction)) => return Ok(transaction),
                Ok(None) => return Err(ReplicaRead::Behind),
                // After a restart every idle connection is dead, and each is closed that turns out so.
                Err(_) if dead < self.settings.max_connections => dead += 1,
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&self, error: &sqlx::Error) -> ReplicaRead {
        self.followed.is_lost(error);
        ReplicaRead::Down
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").field("database", &self.describe()).finish_non_exhaustive()
    }
}

/// Where the primary's log is: behind everything that was committed before.
pub(crate) async fn written(primary: &Pool) -> Result<LogPosition, sqlx::Error> {
    let ask = async {
        let mut connection = primary.acquire().await?;
        raw_sql(WRITTEN).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)
    };
    timeout(ASK_LIMIT, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(LogPosition::of_bigint)
}

/// What a replica says of itself.
async fn replayed(replica: &Pool) -> Result<Known, sqlx::Error> {
    const REPLAYED: &str = "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint, system_identifier \
        FROM pg_control_system()";
    let ask = async {
        let mut connection = replica.acquire().await?;
        let row = raw_sql(REPLAYED).fetch_one(&mut *connection).await?;
        let (is_replica, position): (bool, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let replayed = position.filter(|_| is_replica).map(LogPosition::of_bigint);
        Ok(Known { replayed, server: row.try_get(2)? })
    };
    timeout(ASK_LIMIT, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Which installation a server's data is of: a replica has its primary's.
async fn server(pool: &Pool) -> Result<i64, sqlx::Error> {
    let ask = async {
        let mut connection = pool.acquire().await?;
        let text = AssertSqlSafe("SELECT system_identifier FROM pg_control_system()");
        raw_sql(text).fetch_one(&mut *connection).await?.try_get(0)
    };
    timeout(ASK_LIMIT, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// What `weft doctor` asks a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It follows, and has not replayed so many bytes of the primary's log.
    Follows {
        /// Bytes.
        behind: u64,
    },
    /// It is no replica: it was never one, or was promoted.
    NotAReplica,
    /// It is the replica of another server.
    Foreign,
}

/// Looks at the replica at `url` of the database of `settings`.
pub async fn look(settings: &Settings, url: &SecretString) -> Result<ReplicaState, StoreError> {
    let address = settings.url.as_ref().ok_or(StoreError::ReplicaWithoutServer)?;
    let pool = |url, setting| -> Result<Pool, StoreError> {
        Ok(Pool::new(postgres::serving(postgres::options(url, setting)?, settings), settings))
    };
    let (primary, replica) = (pool(address, "database.url")?, pool(url, "database.replica_url")?);
    let failed = |pool: &Pool| {
        let database = postgres::describe(&pool.options());
        move |source| StoreError::Unreachable { database, source }
    };
    // The primary first, so that a replica that keeps up is not found ahead.
    let position = written(&primary).await.map_err(failed(&primary))?;
    let ours = server(&primary).await.map_err(failed(&primary))?;
    let known = replayed(&replica).await.map_err(failed(&replica))?;
    Ok(match known.replayed {
        _ if known.server != ours => ReplicaState::Foreign,
        Some(replayed) => ReplicaState::Follows { behind: position.0.saturating_sub(replayed.0) },
        None => ReplicaState::NotAReplica,
    })
}
