//! PostgreSQL: the pool, the roles of a domain, and one transaction.

mod pool;

use std::{str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Postgres, Row, pool::PoolConnection, postgres::PgConnectOptions,
    raw_sql,
};
use tokio::runtime::Handle;
use tracing::log::LevelFilter;
use weft_call::{Scope, TenantId};

use crate::{LogPosition, Pooler, Settings, StoreError, replica::WRITTEN};

pub(crate) use pool::Pool;

/// A process that hangs inside a transaction keeps its locks no longer than this, so that a call which
/// is sent again elsewhere gets them within its deadline. Between two statements of a transaction there
/// is nothing but computing: see [`weft_call::transaction`].
const IDLE_LIMIT: (&str, &str) = ("idle_in_transaction_session_timeout", "1s");

/// How long a rollback of a dropped transaction may take before its connection is closed instead.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(5);

/// Reads a URL. The driver's error is dropped: it may repeat the URL, and so a password.
pub(crate) fn options(url: &SecretString, setting: &'static str) -> Result<PgConnectOptions, StoreError> {
    let url = url.expose_secret();
    let invalid = || StoreError::UrlInvalid { setting };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(invalid());
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| invalid())?;
    Ok(options
        .application_name("weft")
        .log_statements(LevelFilter::Off)
        .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1)))
}

/// For connections of their own to the server.
pub(crate) fn direct(options: PgConnectOptions) -> PgConnectOptions {
    options.options([IDLE_LIMIT])
}

/// For the connections that serve.
pub(crate) fn serving(options: PgConnectOptions, settings: &Settings) -> PgConnectOptions {
    match settings.pooler {
        // Every domain of the process runs on every connection, so its statements are those of all of them.
        Pooler::None => direct(options).statement_cache_capacity(settings.prepared_statements),
        // A session is another with each transaction: it has neither our statements nor our settings. What a pooler does
        // not know among the settings of a session, it refuses.
        Pooler::Transaction => options.extra_float_digits(None).statement_cache_capacity(0),
    }
}

/// How people are told of the database: `localhost:5432/weft`, never with credentials.
pub(crate) fn describe(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{}/{name}", socket.display()),
        None => format!("{}:{}/{name}", options.get_host(), options.get_port()),
    }
}

/// Connects once, so that a database that is not there is reported at once and by name.
pub(crate) async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, StoreError> {
    let unreachable = |source| StoreError::Unreachable { database: describe(options), source };
    match tokio::time::timeout(limit, PgConnection::connect_with(options)).await {
        Ok(connection) => connection.map_err(unreachable),
        Err(_) => Err(unreachable(sqlx::Error::PoolTimedOut)),
    }
}

/// The identifiers of a domain. They are made of a checked name, so they need no quotes.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    /// Schema, and the role that serves tenants; it owns nothing.
    pub(crate) service: String,
    /// The role of system scopes.
    pub(crate) system: String,
    /// The role that owns schema and tables and that migrations run under.
    pub(crate) owner: String,
}

impl Roles {
    pub(crate) fn of(domain: &str) -> Self {
        Self { service: format!("weft_{domain}"), system: format!("weft_{domain}_system"), owner: format!("weft_{domain}_owner") }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.service
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    /// As [`Mode::Write`], under row locks alone: each statement sees what is committed.
    Queue,
}

/// Begins a transaction as the domain, for the tenant, in one round trip.
pub(crate) fn begin_text(roles: &Roles, scope: Scope, mode: Mode, limit: Duration, pooler: Pooler) -> String {
    let mode = match mode {
        Mode::Read => "REPEATABLE READ, READ ONLY",
        Mode::Write => "SERIALIZABLE, READ WRITE",
        Mode::Queue => "READ COMMITTED, READ WRITE",
    };
    let (role, tenant) = match scope {
        Scope::Tenant(TenantId(tenant)) => (&roles.service, tenant.to_string()),
        // No tenant under the service role is no rows.
        Scope::Nothing => (&roles.service, String::new()),
        Scope::System(_) => (&roles.system, String::new()),
    };
    let idle = match pooler {
        Pooler::None => String::new(),
        Pooler::Transaction => format!("; SET LOCAL {} = '{}'", IDLE_LIMIT.0, IDLE_LIMIT.1),
    };
    // Zero would mean no limit.
    let limit = limit.as_millis().clamp(1, i32::MAX as u128);
    format!(
        "BEGIN ISOLATION LEVEL {mode}; SET LOCAL ROLE {role}; SET LOCAL search_path = {schema}; \
         SET LOCAL weft.tenant = '{tenant}'{idle}; SET LOCAL statement_timeout = {limit}",
        schema = roles.schema(),
    )
}

/// A transaction that ends with its value: dropped, it rolls back, and its connection returns to the
/// pool only if that worked. (The driver's own type forgets a `BEGIN` whose future was dropped.)
#[derive(Debug)]
pub(crate) struct PgTransaction {
    /// `None` once it is over.
    connection: Option<PoolConnection<Postgres>>,
}

impl PgTransaction {
    pub(crate) async fn begin(connection: PoolConnection<Postgres>, text: String) -> Result<Self, sqlx::Error> {
        let mut this = Self { connection: Some(connection) };
        raw_sql(AssertSqlSafe(text)).execute(this.connection()?).await?;
        Ok(this)
    }

    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    /// Begins by a text that asks something; `None`, and nothing is begun, if the answer is not true.
    pub(crate) async fn begin_if(connection: PoolConnection<Postgres>, text: String) -> Result<Option<Self>, sqlx::Error> {
        let mut this = Self { connection: Some(connection) };
        let answers = raw_sql(AssertSqlSafe(text)).fetch_all(this.connection()?).await?;
        let answer: Option<bool> = answers.first().map(|row| row.try_get(0)).transpose()?.flatten();
        if answer == Some(true) {
            return Ok(Some(this));
        }
        this.rollback().await;
        Ok(None)
    }

    /// Commits, and says where the server's log is then, in the same round trip.
    pub(crate) async fn commit_at(mut self) -> Result<LogPosition, sqlx::Error> {
        let text = AssertSqlSafe(format!("COMMIT; {WRITTEN}"));
        let rows = raw_sql(text).fetch_all(self.connection()?).await?;
        self.connection = None;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        row.try_get(0).map(LogPosition::of_bigint)
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        raw_sql("COMMIT").execute(self.connection()?).await?;
        self.connection = None;
        Ok(())
    }

    pub(crate) async fn rollback(mut self) {
        if let Some(connection) = self.connection.take() {
            roll_back(connection).await;
        }
    }
}

async fn roll_back(connection: PoolConnection<Postgres>) {
    let mut guard = CloseUnlessClean(Some(connection));
    let Some(connection) = &mut guard.0 else { return };
    let rollback = raw_sql("ROLLBACK").execute(&mut **connection);
    if matches!(tokio::time::timeout(ROLLBACK_LIMIT, rollback).await, Ok(Ok(_))) {
        drop(guard.0.take());
    }
}

/// A rollback that is dropped half-way, or fails, costs the connection.
struct CloseUnlessClean(Option<PoolConnection<Postgres>>);

impl Drop for CloseUnlessClean {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(roll_back(connection))),
            Err(_) => drop(connection.detach()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_a_transaction_sets_ends_with_it() {
        let (roles, tenant) = (Roles::of("orders"), Scope::Tenant(TenantId(Uuid::nil())));
        for (scope, role) in
            [(tenant, "weft_orders"), (Scope::Nothing, "weft_orders"), (Scope::System("x"), "weft_orders_system")]
        {
            for (mode, pooler) in [(Mode::Read, Pooler::None), (Mode::Write, Pooler::Transaction)] {
                let text = begin_text(&roles, scope, mode, Duration::from_millis(1500), pooler);
                let (begin, settings) = text.split_once("; ").unwrap_or_default();
                assert!(begin.starts_with("BEGIN ISOLATION LEVEL "), "{text}");
                assert!(settings.split("; ").all(|setting| setting.starts_with("SET LOCAL ")), "{text}");
                assert!(
                    text.contains(&format!("SET LOCAL ROLE {role};")) && text.ends_with("statement_timeout = 1500"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_limit_is_never_taken_for_no_limit() {
        let (roles, scope) = (Roles::of("orders"), Scope::Nothing);
        for (limit, text) in [(Duration::ZERO, "= 1"), (Duration::MAX, "= 2147483647")] {
            assert!(begin_text(&roles, scope, Mode::Read, limit, Pooler::None).ends_with(text));
        }
    }
}
