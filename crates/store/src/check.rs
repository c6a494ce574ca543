//! Prepares every statement of a domain, as the role that will run it.
//!
//! For tests: a statement that only one of the databases understands, that names a column which is
//! not there, that its role may not run or that forgets the tenant is found without being run.

use std::{fmt, time::Duration};

use sqlx::{AssertSqlSafe, Executor, SqlSafeStr, raw_sql};
use uuid::Uuid;
use weft_call::{Scope, TenantId};

use crate::{
    Authority, Databases, DomainSchema, Statement, StoreError,
    postgres::Mode,
    session::{Connection, Session},
};

/// The statements of a domain that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The domain's store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// These statements are wrong.
    #[error("{domain} has statements that cannot run:{}", Listed(faults))]
    Statements {
        /// The domain.
        domain: &'static str,
        /// Each statement and what is wrong with it.
        faults: Vec<(&'static str, String)>,
    },
}

struct Listed<'a>(&'a [(&'static str, String)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(statement, fault)| write!(f, "\n  {statement}: {fault}"))
    }
}

/// Checks every statement of a domain, whose migrations must be applied.
pub async fn prepare_all(databases: &Databases, schema: &DomainSchema) -> Result<(), CheckError> {
    let store = databases.store(schema).await?;
    let mut faults = Vec::new();
    for statement in schema.all_statements() {
        if let Some(fault) = forgotten_tenant(statement) {
            faults.push((statement.name(), fault));
        }
        let scopes: &[Scope] = match statement.authority() {
            Authority::Tenant => &[Scope::Tenant(TenantId(Uuid::nil()))],
            Authority::System => &[Scope::System("checks statements")],
            Authority::Either => &[Scope::Tenant(TenantId(Uuid::nil())), Scope::System("checks statements")],
        };
        for scope in scopes {
            let mut session = store.inner().begin(*scope, Mode::Write, Duration::from_secs(30)).await?;
            if let Err(error) = prepare(&mut session, statement).await {
                faults.push((statement.name(), error.to_string()));
            }
            session.rollback().await;
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(CheckError::Statements { domain: schema.domain(), faults }) }
}

/// A tenant's statement names the tenant's column and the parameter that the store binds.
fn forgotten_tenant(statement: &Statement) -> Option<String> {
    let texts = [statement.postgres(), statement.sqlite()];
    let forgets = |text: &&str| !text.contains("tenant_id") || !text.contains("$1");
    let forgotten = statement.authority() != Authority::System && texts.iter().any(forgets);
    forgotten.then(|| "a tenant's statement that does not compare or set tenant_id with $1".to_owned())
}

async fn prepare(session: &mut Session, statement: &'static Statement) -> Result<(), sqlx::Error> {
    match &mut session.connection {
        Connection::Postgres(transaction) => {
            let connection = transaction.connection()?;
            let text = format!("PREPARE weft_check AS {}", statement.postgres());
            raw_sql(AssertSqlSafe(text)).execute(&mut *connection).await?;
            let count = "SELECT COALESCE(cardinality(parameter_types), 0) FROM pg_prepared_statements WHERE name = 'weft_check'";
            let count: i32 = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
            // To explain is to check what the role may do, without doing it.
            let nulls = vec!["NULL"; usize::try_from(count).unwrap_or_default()].join(", ");
            let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
            let explain = format!("EXPLAIN EXECUTE weft_check{nulls}; DEALLOCATE weft_check");
            raw_sql(AssertSqlSafe(explain)).execute(connection).await.map(drop)
        }
        Connection::Sqlite(transaction) => {
            let text = statement.sqlite().into_sql_str();
            (&mut **transaction).prepare(text).await.map(drop)
        }
    }
}
