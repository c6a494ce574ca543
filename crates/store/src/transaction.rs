//! What a domain holds while it reads or writes: [`Read`] and [`Tx`], and a statement being run.

use std::ops::{Deref, DerefMut};

use sqlx::{
    Arguments, AssertSqlSafe, PgConnection, Row, SqliteConnection, SqlSafeStr, SqlStr,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;
use weft_call::{Scope, TenantId};

use crate::{
    Authority, Column, Record, Statement, StoreError, Value,
    session::{Connection, Session, State},
};

/// An open transaction that reads. A function that takes `&mut Read` also takes a `&mut Tx`.
#[derive(Debug)]
pub struct Read {
    pub(crate) session: Session,
}

/// An open transaction that writes.
#[derive(Debug)]
pub struct Tx {
    pub(crate) read: Read,
}

impl Deref for Tx {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Read {
        &mut self.read
    }
}

impl Read {
    /// Whose records the transaction may touch.
    pub fn scope(&self) -> Scope {
        self.session.scope
    }

    /// Starts to run a statement: bind what its text asks for after the tenant, then `execute` or
    /// fetch. Anything wrong is an error of that last step.
    pub fn run(&mut self, statement: &'static Statement) -> Run<'_> {
        let Session { connection, inner, scope, state } = &mut self.session;
        let (key, mut bound) = match connection {
            Connection::Postgres(transaction) => match transaction.connection() {
                Ok(connection) => (statement.postgres(), Bound::Postgres(connection, PgArguments::default())),
                Err(source) => {
                    let error = StoreError::Statement { statement: statement.name(), source };
                    return Run { statement, state, bound: Err(error), text: SqlStr::from_static("") };
                }
            },
            Connection::Sqlite(transaction) => (statement.sqlite(), Bound::Sqlite(transaction, SqliteArguments::default())),
        };
        let text = inner.texts.get(key).map(|text| AssertSqlSafe(text.clone()).into_sql_str());
        let admitted = if state.failed {
            Err(StoreError::AlreadyFailed)
        } else if text.is_none() {
            Err(StoreError::StatementUnknown { statement: statement.name(), domain: inner.domain })
        } else {
            first_argument(statement, *scope)
        };
        let bound = admitted.and_then(|first| match first {
            Some(tenant) => bound.add(statement, tenant).map(|()| bound),
            None => Ok(bound),
        });
        Run { statement, state, bound, text: text.unwrap_or_else(|| SqlStr::from_static("")) }
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
    statement: &'static Statement,
    state: &'t mut State,
    bound: Result<Bound<'t>, StoreError>,
    text: SqlStr,
}

#[derive(Debug)]
enum Bound<'t> {
    Postgres(&'t mut PgConnection, PgArguments),
    Sqlite(&'t mut SqliteConnection, SqliteArguments),
}

impl Bound<'_> {
    fn add<T: Value>(&mut self, statement: &'static Statement, value: T) -> Result<(), StoreError> {
        let added = match self {
            Self::Postgres(_, arguments) => arguments.add(value),
            Self::Sqlite(_, arguments) => arguments.add(value),
        };
        added.map_err(|source| StoreError::Type { statement: statement.name(), source })
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
        let Self { statement, state, bound, text } = self;
        let bound = bound?;
        // Until it has answered: a future that is dropped half-way may have changed rows.
        state.failed = true;
        let outcome = match bound {
            Bound::Postgres(connection, arguments) => {
                sqlx::query_with(text, arguments).execute(connection).await.map(|done| done.rows_affected())
            }
            Bound::Sqlite(connection, arguments) => {
                sqlx::query_with(text, arguments).execute(connection).await.map(|done| done.rows_affected())
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
        let Self { statement, state, bound, text } = self;
        let bound = bound?;
        state.failed = true;
        let outcome = match bound {
            Bound::Postgres(connection, arguments) => {
                sqlx::query_with(text, arguments).fetch_optional(connection).await.map(|row| row.map(AnyRow::Postgres))
            }
            Bound::Sqlite(connection, arguments) => {
                sqlx::query_with(text, arguments).fetch_optional(connection).await.map(|row| row.map(AnyRow::Sqlite))
            }
        };
        state.settle(statement.name(), outcome)
    }

    async fn rows(self) -> Result<Vec<AnyRow>, StoreError> {
        let Self { statement, state, bound, text } = self;
        let bound = bound?;
        state.failed = true;
        let outcome = match bound {
            Bound::Postgres(connection, arguments) => {
                let rows = sqlx::query_with(text, arguments).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(AnyRow::Postgres).collect())
            }
            Bound::Sqlite(connection, arguments) => {
                let rows = sqlx::query_with(text, arguments).fetch_all(connection).await;
                rows.map(|rows| rows.into_iter().map(AnyRow::Sqlite).collect())
            }
        };
        state.settle(statement.name(), outcome)
    }
}
