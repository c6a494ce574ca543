//! A domain's SQLite file, held so that nobody else has it open.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection, raw_sql};

use super::CopyError;
use crate::{DomainSchema, SchemaPart, migrate, sqlite};

/// Numbers of transactions are a database's own. What has no place in a log yet is moved below every number that
/// PostgreSQL gives, in its order, so that it comes before what is published there.
const BEFORE_ALL: i64 = 1_000_000_000_000;

/// A domain's file.
pub(super) struct Source {
    pub(super) domain: &'static str,
    pub(super) file: PathBuf,
    pub(super) connection: SqliteConnection,
    /// The columns of its tables, but for the histories of migrations: the target has its own.
    pub(super) tables: BTreeMap<String, Vec<String>>,
}

impl Source {
    pub(super) async fn open(folder: &Path, schema: &DomainSchema) -> Result<Self, CopyError> {
        schema.check_names()?;
        let (domain, file) = (schema.domain(), sqlite::file(folder, schema.domain()));
        if !file.exists() {
            return Err(CopyError::Missing(file));
        }
        let mut connection = lock(&file).await?;
        let pending = migrate::sqlite::pending_in(&mut connection, schema).await?;
        if !pending.is_empty() {
            return Err(CopyError::SourcePending { domain, pending });
        }
        let tables = tables(&mut connection).await.map_err(|source| CopyError::Source { file: file.clone(), source })?;
        Ok(Self { domain, file, connection, tables })
    }

    /// Lets others open the file again.
    pub(super) async fn close(self) -> Result<(), CopyError> {
        let Self { file, connection, .. } = self;
        connection.close().await.map_err(|source| CopyError::Source { file, source })
    }
}

/// Opens a file for this process alone. Whoever else has it open holds a lock that says so.
async fn lock(file: &Path) -> Result<SqliteConnection, CopyError> {
    let locked = async {
        let mut connection = sqlite::connect_alone(file).await?;
        raw_sql("BEGIN EXCLUSIVE").execute(&mut connection).await?;
        Ok(connection)
    };
    locked.await.map_err(|source: sqlx::Error| {
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
        // The low byte is the primary code: BUSY, LOCKED.
        match code.parse::<u32>().map(|number| number & 0xff) {
            Ok(5 | 6) => CopyError::InUse(file.to_owned()),
            _ => CopyError::Source { file: file.to_owned(), source },
        }
    })
}

async fn tables(connection: &mut SqliteConnection) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let text = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";
    let columns: Vec<(String, String)> = sqlx::query_as(text).fetch_all(connection).await?;
    let mut tables = BTreeMap::<_, Vec<_>>::new();
    for (table, column) in columns.into_iter().filter(|(table, _)| !table.starts_with(SchemaPart::HISTORY_PREFIX)) {
        tables.entry(table).or_default().push(column);
    }
    Ok(tables)
}

/// The statement that reads a table in the order of its key.
pub(super) fn select(table: &str, columns: &[String], key: &[String]) -> AssertSqlSafe<String> {
    let is_log = ["transaction_id", "position"].iter().all(|name| columns.iter().any(|column| column == name));
    let read = |column: &String| match column.as_str() {
        "transaction_id" if is_log => {
            format!("CASE WHEN position IS NULL THEN transaction_id - {BEFORE_ALL} ELSE transaction_id END")
        }
        _ => super::target::quoted(column),
    };
    let columns: Vec<_> = columns.iter().map(read).collect();
    let key: Vec<_> = key.iter().map(|column| super::target::quoted(column)).collect();
    AssertSqlSafe(format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), super::target::quoted(table), key.join(", ")))
}
