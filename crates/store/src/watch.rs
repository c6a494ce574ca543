//! Sees which statements run; for tests.

use std::{fmt, sync::Arc};

use sqlx::{AssertSqlSafe, Row, raw_sql};
use weft_call::Scope;

use crate::{
    Statement, StoreError,
    postgres::{Mode, Roles},
    session::{Connection, failure},
    store::Inner,
};

/// Which database a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// Sees every statement that a store runs, such as a test that holds them to something.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A domain's store was opened; these of its tables have a column `tenant_id`.
    fn opened(&self, domain: &'static str, tenant_tables: Vec<String>);

    /// A domain's statement is about to run, in the text for this database.
    fn runs(&self, domain: &'static str, statement: &'static Statement, dialect: Dialect);
}

/// The tables of a domain that have a column `tenant_id`.
pub(crate) async fn tenant_tables(inner: &Arc<Inner>) -> Result<Vec<String>, StoreError> {
    let scope = Scope::System("a test watches statements");
    let mut session = inner.begin(scope, Mode::Read, inner.settings.statement_timeout).await?;
    let names = match &mut session.connection {
        Connection::Postgres(transaction) => {
            let text = format!(
                "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                 WHERE c.relnamespace = '{}'::regnamespace AND c.relkind IN ('r', 'p') \
                 AND a.attname = 'tenant_id' AND NOT a.attisdropped",
                Roles::of(inner.domain).schema()
            );
            match transaction.connection() {
                Ok(connection) => raw_sql(AssertSqlSafe(text))
                    .fetch_all(connection)
                    .await
                    .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()),
                Err(error) => Err(error),
            }
        }
        Connection::Sqlite(transaction) => {
            let text = "SELECT m.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                WHERE m.type = 'table' AND c.name = 'tenant_id'";
            raw_sql(text)
                .fetch_all(&mut **transaction)
                .await
                .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>())
        }
    };
    session.rollback().await;
    names.map_err(|error| failure("the tables that have a tenant", error))
}
