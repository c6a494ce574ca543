//! Migrations of a SQLite file: one transaction, so that all of them are applied or none.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{ADD_SECRET, failed, fresh_secret, migrator, missing, set_up};
use crate::{DomainSchema, StoreError, page, sqlite};

pub(crate) async fn run(mut connection: SqliteConnection, schema: &DomainSchema) -> Result<(), StoreError> {
    let domain = schema.domain();
    // Takes the write lock first: whoever comes second finds the work done.
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(set_up(domain, "lock the file"))?;
    for part in schema.parts() {
        migrator(part, false)?.run_direct(None, &mut *tx, false).await.map_err(failed(domain))?;
    }
    let add = sqlx::query(ADD_SECRET).bind(page::SECRET_NAME).bind(fresh_secret()?);
    add.execute(&mut *tx).await.map_err(set_up(domain, "make the page-token key"))?;
    tx.commit().await.map_err(set_up(domain, "commit the migrations"))?;
    connection.close().await.map_err(set_up(domain, "close the file"))
}

/// A file that is not there has everything pending, and is not made.
pub(crate) async fn pending(file: &Path, schema: &DomainSchema) -> Result<Vec<String>, StoreError> {
    if !file.exists() {
        let all = schema.parts().map(|part| missing(part, false, &[])).collect::<Result<Vec<_>, _>>()?;
        return Ok(all.concat());
    }
    let mut connection = sqlite::connect(file).await?;
    let pending = pending_in(&mut connection, schema).await?;
    // Waited for: a file that is still open cannot be held for oneself.
    connection.close().await.map_err(set_up(schema.domain(), "close the file"))?;
    Ok(pending)
}

/// The same of a file that is open.
pub(crate) async fn pending_in(connection: &mut SqliteConnection, schema: &DomainSchema) -> Result<Vec<String>, StoreError> {
    let mut pending = Vec::new();
    for part in schema.parts() {
        let read = set_up(schema.domain(), "read which migrations are applied");
        let applied = applied(connection, &part.history()).await.map_err(read)?;
        pending.extend(missing(part, false, &applied)?);
    }
    Ok(pending)
}

async fn applied(connection: &mut SqliteConnection, history: &str) -> Result<Vec<i64>, sqlx::Error> {
    let exists = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1").bind(history);
    let exists: i64 = exists.fetch_one(&mut *connection).await?;
    if exists == 0 {
        return Ok(Vec::new());
    }
    // The name is a checked identifier.
    let versions = sqlx::query_scalar(AssertSqlSafe(format!("SELECT version FROM {history} WHERE success")));
    versions.fetch_all(connection).await
}
