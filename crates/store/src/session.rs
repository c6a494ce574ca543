//! One open transaction on either database, and what became of it.

use std::{sync::Arc, time::Duration};

use sqlx::{Sqlite, Transaction, pool::PoolConnection};
use weft_call::Scope;
use weft_telemetry::ReplicaRead;

use crate::{
    LogPosition, StoreError,
    error::Verdict,
    postgres::{self, Mode, PgTransaction, Pool},
    sqlite,
    store::{Backend, Inner},
};

/// An open transaction. Dropped, it rolls back.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) inner: Arc<Inner>,
    pub(crate) scope: Scope,
    pub(crate) state: State,
}

#[derive(Debug)]
pub(crate) enum Connection {
    Postgres(PgTransaction),
    Sqlite(Transaction<'static, Sqlite>),
}

/// What became of the statements so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// A concurrent change won.
    pub(crate) conflict: bool,
    /// A statement failed, or its future was dropped half-way.
    pub(crate) failed: bool,
    /// The connection broke.
    pub(crate) broken: bool,
}

impl State {
    /// Takes in what a statement came to.
    pub(crate) fn settle<T>(&mut self, statement: &'static str, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        match outcome {
            Ok(value) => {
                self.failed = false;
                Ok(value)
            }
            Err(error) => {
                let verdict = Verdict::of(&error);
                self.conflict = verdict == Verdict::Conflict;
                self.broken = verdict == Verdict::Broken;
                Err(failure(statement, error))
            }
        }
    }
}

/// The error of a statement.
pub(crate) fn failure(statement: &'static str, source: sqlx::Error) -> StoreError {
    match Verdict::of(&source) {
        Verdict::Conflict => StoreError::Conflict,
        Verdict::Timeout => StoreError::StatementTimeout { statement },
        Verdict::Constraint(kind) => StoreError::Constraint { statement, kind, source },
        Verdict::Broken => StoreError::Broken { statement, source },
        Verdict::Refused => StoreError::Statement { statement, source },
    }
}

impl Inner {
    /// Begins a transaction. On PostgreSQL no statement in it runs longer than `limit`.
    pub(crate) async fn begin(self: &Arc<Self>, scope: Scope, mode: Mode, limit: Duration) -> Result<Session, StoreError> {
        let connection = match &self.backend {
            Backend::Postgres { pool, roles, .. } => {
                let text = postgres::begin_text(roles, scope, mode, limit, self.settings.pooler);
                Connection::Postgres(self.begin_postgres(pool, &text).await?)
            }
            Backend::Sqlite(sqlite::Pools { writer, readers }) => {
                let (pool, begin) = match mode {
                    Mode::Read => (readers, "BEGIN DEFERRED"),
                    // A deferred transaction that reads and then writes fails at once when another
                    // wrote in between, without waiting.
                    Mode::Write | Mode::Queue => (writer, "BEGIN IMMEDIATE"),
                };
                let begun = pool.begin_with(begin).await;
                begun.map(Connection::Sqlite).map_err(|error| match error {
                    sqlx::Error::PoolTimedOut => self.no_connection(error),
                    error => self.not_begun(error),
                })?
            }
        };
        Ok(Session { connection, inner: Arc::clone(self), scope, state: State::default() })
    }

    /// Begins a transaction that reads from the replica, if that has replayed the log so far; else says who answers.
    pub(crate) async fn begin_on_replica(
        self: &Arc<Self>,
        scope: Scope,
        position: LogPosition,
        limit: Duration,
    ) -> Result<Session, ReplicaRead> {
        let Backend::Postgres { roles, replica: Some(replica), .. } = &self.backend else { return Err(ReplicaRead::Down) };
        let text = postgres::begin_text(roles, scope, Mode::Read, limit, self.settings.pooler);
        let connection = Connection::Postgres(replica.begin(position, &text).await?);
        Ok(Session { connection, inner: Arc::clone(self), scope, state: State::default() })
    }

    /// Begins on a connection that lives. After the server was restarted every idle one is dead: each
    /// that turns out so is closed, and the last try is on a new one.
    async fn begin_postgres(&self, pool: &Pool, text: &str) -> Result<PgTransaction, StoreError> {
        let mut dead = 0;
        loop {
            let connection = pool.acquire().await.map_err(|error| self.no_connection(error))?;
            match PgTransaction::begin(connection, text.to_owned()).await {
                Err(error) if Verdict::of(&error) == Verdict::Broken && dead < self.settings.max_connections => dead += 1,
                begun => return begun.map_err(|error| self.not_begun(error)),
            }
        }
    }

    fn no_connection(&self, source: sqlx::Error) -> StoreError {
        let database = self.database.clone();
        match source {
            sqlx::Error::PoolTimedOut => StoreError::Busy { database },
            source => StoreError::Unreachable { database, source },
        }
    }

    fn not_begun(&self, source: sqlx::Error) -> StoreError {
        match Verdict::of(&source) {
            Verdict::Conflict => StoreError::Conflict,
            Verdict::Broken => StoreError::Unreachable { database: self.database.clone(), source },
            Verdict::Timeout | Verdict::Constraint(_) | Verdict::Refused => StoreError::Transaction { step: "begun", source },
        }
    }

    /// A connection for asking whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        async fn select_one<DB>(mut connection: PoolConnection<DB>) -> Result<(), sqlx::Error>
        where
            DB: sqlx::Database,
            for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
        {
            sqlx::raw_sql("SELECT 1").execute(&mut *connection).await.map(drop)
        }
        let answer = match &self.backend {
            Backend::Postgres { pool, .. } => match pool.acquire().await {
                Ok(connection) => select_one(connection).await,
                Err(error) => Err(error),
            },
            Backend::Sqlite(pools) => match pools.readers.acquire().await {
                Ok(connection) => select_one(connection).await,
                Err(error) => Err(error),
            },
        };
        answer.map_err(|error| self.no_connection(error))
    }
}

impl Session {
    /// Commits, or says why nothing was kept.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        #[cfg(feature = "sabotage")]
        if weft_sabotage::Sabotage::AnswerBeforeCommit.is_on() {
            crate::sabotage::commit_later(self);
            return Ok(());
        }
        self.commit_now().await
    }

    /// The same, and says where the log of a server with a replica is then.
    pub(crate) async fn commit_at(self) -> Result<Option<LogPosition>, StoreError> {
        match self.connection {
            Connection::Postgres(transaction) if self.inner.replica().is_some() => {
                committed(transaction.commit_at().await).map(Some)
            }
            Connection::Postgres(_) | Connection::Sqlite(_) => self.commit().await.map(|()| None),
        }
    }

    pub(crate) async fn commit_now(self) -> Result<(), StoreError> {
        committed(match self.connection {
            Connection::Postgres(transaction) => transaction.commit().await,
            Connection::Sqlite(transaction) => transaction.commit().await,
        })
    }

    /// Rolls back and waits for it, so that its locks are free. What cannot roll back is closed.
    pub(crate) async fn rollback(self) {
        match self.connection {
            Connection::Postgres(transaction) => transaction.rollback().await,
            Connection::Sqlite(transaction) => {
                if let Err(error) = transaction.rollback().await {
                    tracing::warn!(%error, "a rollback failed");
                }
            }
        }
    }
}

/// What a commit came to.
fn committed<T>(outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    outcome.map_err(|error| match Verdict::of(&error) {
        Verdict::Broken => StoreError::CommitUnknown(error),
        Verdict::Refused => StoreError::Transaction { step: "committed", source: error },
        Verdict::Conflict | Verdict::Timeout | Verdict::Constraint(_) => failure("COMMIT", error),
    })
}
