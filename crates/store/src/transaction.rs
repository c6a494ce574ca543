//! What a domain holds while it reads or writes: [`Read`] and [`Tx`], and a statement being run.

mod seek;

use std::{
    ops::Deref,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use sqlx::{
    Arguments, AssertSqlSafe, PgConnection, Row, SqlSafeStr, SqlStr, SqliteConnection,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use weft_call::{Call, Scope, TenantId};

use crate::{
    Authority, Column, Pooler, Record, Statement, StoreError, Value,
    audit::Change,
    session::{Connection, Session, State},
    store::{Backend, Inner},
};

/// An open transaction that reads. A function that takes `&Read` also takes a `&Tx`.
///
/// A closure of the store owns it, so that what the closure captures may be borrowed from anywhere;
/// it ends with the closure, also where it was put aside.
#[derive(Debug)]
pub struct Read {
    open: Arc<Open>,
}

/// An open transaction that writes.
#[derive(Debug)]
pub struct Tx {
    read: Read,
    call: Call,
}

/// A transaction that the store and a closure of a domain hold together.
#[derive(Debug)]
pub(crate) struct Open {
    inner: Arc<Inner>,
    scope: Scope,
    /// How many events were published.
    events: AtomicU32,
    /// What the closure says that it changes.
    change: std::sync::Mutex<Option<Change>>,
    /// True once the call's audit record is written.
    has_audit: AtomicBool,
    session: Mutex<Option<Session>>,
}

impl Open {
    pub(crate) fn new(session: Session) -> Arc<Self> {
        let (inner, scope) = (Arc::clone(&session.inner), session.scope);
        let (events, change, has_audit) = (AtomicU32::new(0), std::sync::Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { inner, scope, events, change, has_audit, session: Mutex::new(Some(session)) })
    }

    /// The store's own reading end.
    pub(crate) fn read(self: &Arc<Self>) -> Read {
        Read { open: Arc::clone(self) }
    }

    /// What the closure of a write gets.
    pub(crate) fn tx(self: &Arc<Self>, call: Call) -> Tx {
        Tx { read: self.read(), call }
    }

    /// True if an event was published in it.
    pub(crate) fn has_events(&self) -> bool {
        self.events.load(Ordering::Relaxed) > 0
    }

    /// True if the call's audit record is written in it.
    pub(crate) fn has_audit(&self) -> bool {
        self.has_audit.load(Ordering::Relaxed)
    }

    /// Takes the transaction back: from now on no statement runs in it.
    pub(crate) async fn close(&self) -> Result<Session, StoreError> {
        self.session.lock().await.take().ok_or(StoreError::TransactionOver)
    }
}

impl Deref for Tx {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

impl Tx {
    /// The call that writes.
    pub fn call(&self) -> &Call {
        &self.call
    }

    pub(crate) fn set_change(&self, change: Change) {
        *self.read.open.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }

    pub(crate) fn take_change(&self) -> Option<Change> {
        self.read.open.change.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn set_has_audit(&self) {
        self.read.open.has_audit.store(true, Ordering::Relaxed);
    }

    /// The place of the next event; `None` beyond counting.
    pub(crate) fn count_event(&self) -> Option<u32> {
        let count = |events: u32| events.checked_add(1);
        self.read.open.events.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok()
    }
}

impl Read {
    /// The domain whose store it is.
    pub(crate) fn domain(&self) -> &'static str {
        self.open.inner.domain
    }

    /// Whose records the transaction may touch.
    pub fn scope(&self) -> Scope {
        self.open.scope
    }

    /// Starts to run a statement: bind what its text asks for after the tenant, then `execute` or
    /// fetch. Anything wrong is an error of that last step.
    pub fn run(&self, statement: &'static Statement) -> Run<'_> {
        let inner = &self.open.inner;
        let (key, bound) = match inner.backend {
            Backend::Postgres { .. } => (statement.postgres(), Bound::Postgres(PgArguments::default())),
            Backend::Sqlite(_) => (statement.sqlite(), Bound::Sqlite(SqliteArguments::default())),
        };
        let text = inner.texts.get(key).map(|text| AssertSqlSafe(text.clone()).into_sql_str());
        let admitted = if text.is_none() {
            Err(StoreError::StatementUnknown { statement: statement.name(), domain: inner.domain })
        } else {
            first_argument(statement, self.open.scope)
        };
        let text = text.unwrap_or_else(|| SqlStr::from_static(""));
        let is_kept = inner.settings.pooler == Pooler::None;
        let run = Run { open: &self.open, statement, bound: Ok(bound), text, is_kept };
        match admitted {
            Ok(Some(tenant)) => run.bind(tenant),
            Ok(None) => run,
            Err(error) => Run { bound: Err(error), ..run },
        }
    }
}

/// What the store itself binds to `$1`; an error if the scope may not run the statement.
fn first_argument(statement: &Statement, scope: Scope) -> Result<Option<Uuid>, StoreError> {
    match (statement.authority(), scope) {
        (Authority::Tenant | Authority::Either, Scope::Tenant(TenantId(tenant))) => Ok(Some(tenant)),
        (Authority::Either, Scope::System(_)) => Ok(Some(Uuid::nil())),
        (Authority::System, Scope::System(_)) => Ok(None),
        (Authority::System, Scope::Tenant(_) | Scope::Nothing) => {
            Err(StoreError::NotInSystemScope { statement: statement.name() })
        }
        (Authority::Tenant, Scope::System(_) | Scope::Nothing) | (Authority::Either, Scope::Nothing) => {
            Err(StoreError::TenantMissing)
        }
    }
}

/// A statement with what is bound to it so far.
#[derive(Debug)]
#[must_use = "a statement runs when it is executed or fetched from"]
pub struct Run<'t> {
    open: &'t Open,
    statement: &'static Statement,
    bound: Result<Bound, StoreError>,
    text: SqlStr,
    /// Whether its connection keeps it prepared.
    is_kept: bool,
}

#[derive(Debug)]
enum Bound {
    Postgres(PgArguments),
    Sqlite(SqliteArguments),
}

impl Bound {
    fn add<T: Value>(&mut self, statement: &'static Statement, value: T) -> Result<(), StoreError> {
        let added = match self {
            Self::Postgres(arguments) => arguments.add(value),
            Self::Sqlite(arguments) => arguments.add(value),
        };
        added.map_err(|source| StoreError::Type { statement: statement.name(), source })
    }

    /// How many values are bound.
    fn len(&self) -> usize {
        match self {
            Self::Postgres(arguments) => arguments.len(),
            Self::Sqlite(arguments) => arguments.len(),
        }
    }
}

enum AnyRow {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl AnyRow {
    fn record<R: Record>(&self, statement: &'static Statement) -> Result<R, StoreError> {
        let record = match self {
            Self::Postgres(row) => R::from_row(row),
            Self::Sqlite(row) => R::from_row(row),
        };
        record.map_err(|source| StoreError::Type { statement: statement.name(), source: source.into() })
    }

    fn value<T: Column>(&self, statement: &'static Statement) -> Result<T, StoreError> {
        let value = match self {
            Self::Postgres(row) => row.try_get(0),
            Self::Sqlite(row) => row.try_get(0),
        };
        value.map_err(|source| StoreError::Type { statement: statement.name(), source: source.into() })
    }
}

impl Run<'_> {
    /// Binds the next parameter.
    pub fn bind<T: Value>(mut self, value: T) -> Self {
        if let Ok(bound) = &mut self.bound
            && let Err(error) = bound.add(self.statement, value)
        {
            self.bound = Err(error);
        }
        self
    }

    /// Runs it and returns how many rows it changed.
    pub async fn execute(self) -> Result<u64, StoreError> {
        let Self { open, statement, bound, text, is_kept } = self;
        let mut session = open.session.lock().await;
        let (state, bound) = pair(statement, &mut session, bound)?;
        let outcome = match bound {
            Paired::Postgres(connection, arguments) => {
                sqlx::query_with(text, arguments).persistent(is_kept).execute(connection).await.map(|done| done.rows_affected())
            }
            Paired::Sqlite(connection, arguments) => {
                sqlx::query_with(text, arguments).persistent(is_kept).execute(connection).await.map(|done| done.rows_affected())
            }
        };
        state.settle(statement.name(), outcome)
    }

    /// Runs it and returns its first row, if there is one.
    pub async fn fetch_optional<R: Record>(self) -> Result<Option<R>, StoreError> {
        let statement = self.statement;
        self.first_row().await?.map(|row| row.record(statement)).transpose()
    }

    /// Runs it and returns its first row; an error if there is none.
    pub async fn fetch_one<R: Record>(self) -> Result<R, StoreError> {
        let statement = self.statement;
        self.fetch_optional().await?.ok_or(StoreError::NoRow { statement: statement.name() })
    }

    /// Runs it and returns its rows. All of them stand in memory: the statement has a `LIMIT`.
    pub async fn fetch_all<R: Record>(self) -> Result<Vec<R>, StoreError> {
        let statement = self.statement;
        self.rows().await?.iter().map(|row| row.record(statement)).collect()
    }

    /// Runs it and returns the first column of its first row, if there is one.
    pub async fn fetch_optional_value<T: Column>(self) -> Result<Option<T>, StoreError> {
        let statement = self.statement;
        self.first_row().await?.map(|row| row.value(statement)).transpose()
    }

    /// Runs it and returns the first column of its first row; an error if there is none.
    pub async fn fetch_value<T: Column>(self) -> Result<T, StoreError> {
        let statement = self.statement;
        self.fetch_optional_value().await?.ok_or(StoreError::NoRow { statement: statement.name() })
    }

    /// Runs it and returns the first column of its rows.
    pub async fn fetch_values<T: Column>(self) -> Result<Vec<T>, StoreError> {
        let statement = self.statement;
        self.rows().await?.iter().map(|row| row.value(statement)).collect()
    }

    async fn first_row(self) -> Result<Option<AnyRow>, StoreError> {
        let Self { open, statement, bound, text, is_kept } = self;
        let mut session = open.session.lock().await;
        let (state, bound) = pair(statement, &mut session, bound)?;
        let outcome = match bound {
            Paired::Postgres(connection, arguments) => sqlx::query_with(text, arguments)
                .persistent(is_kept)
                .fetch_optional(connection)
                .await
                .map(|row| row.map(AnyRow::Postgres)),
            Paired::Sqlite(connection, arguments) => sqlx::query_with(text, arguments)
                .persistent(is_kept)
                .fetch_optional(connection)
                .await
                .map(|row| row.map(AnyRow::Sqlite)),
        };
        state.settle(statement.name(), outcome)
    }

    async fn rows(self) -> Result<Vec<AnyRow>, StoreError> {
        let Self { open, statement, bound, text, is_kept } = self;
        let mut session = open.session.lock().await;
        let (state, bound) = pair(statement, &mut session, bound)?;
        let outcome = match bound {
            Paired::Postgres(connection, arguments) => {
                let rows = sqlx::query_with(text, arguments).persistent(is_kept).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(AnyRow::Postgres).collect())
            }
            Paired::Sqlite(connection, arguments) => {
                let rows = sqlx::query_with(text, arguments).persistent(is_kept).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(AnyRow::Sqlite).collect())
            }
        };
        state.settle(statement.name(), outcome)
    }
}

/// Arguments beside the connection that they are for.
enum Paired<'s> {
    Postgres(&'s mut PgConnection, PgArguments),
    Sqlite(&'s mut SqliteConnection, SqliteArguments),
}

/// Readies the session for a statement. Until it has answered the session counts as failed: a future
/// that is dropped half-way may have changed rows.
fn pair<'s>(
    statement: &'static Statement,
    session: &'s mut MutexGuard<'_, Option<Session>>,
    bound: Result<Bound, StoreError>,
) -> Result<(&'s mut State, Paired<'s>), StoreError> {
    let Session { connection, state, inner, .. } = session.as_mut().ok_or(StoreError::TransactionOver)?;
    if state.failed {
        return Err(StoreError::AlreadyFailed);
    }
    if let Some(watch) = &inner.settings.watch {
        watch.runs(inner.domain, statement, inner.dialect());
    }
    let paired = match (connection, bound?) {
        (Connection::Postgres(transaction), Bound::Postgres(arguments)) => {
            let connection = transaction.connection();
            let failed = |source| StoreError::Statement { statement: statement.name(), source };
            Paired::Postgres(connection.map_err(failed)?, arguments)
        }
        (Connection::Sqlite(transaction), Bound::Sqlite(arguments)) => Paired::Sqlite(transaction, arguments),
        (Connection::Postgres(_) | Connection::Sqlite(_), Bound::Postgres(_) | Bound::Sqlite(_)) => {
            return Err(StoreError::TransactionOver);
        }
    };
    state.failed = true;
    Ok((state, paired))
}
