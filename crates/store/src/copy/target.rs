//! The server's side: one transaction that takes every table of every domain.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use ring::digest::{Context, SHA256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use weft_call::Digest;

use super::{
    Copied, CopyError,
    rows::Batch,
    source::{Source, select},
    value::{self, Cell, Kind},
};
use crate::{
    Settings,
    postgres::{self, Roles},
};

/// The store's own table whose rows a migration makes: those of the files take their place.
const SECRETS: &str = "weft_secret";

/// Nobody else is to reach the tables meanwhile; who has one open is waited for, but not for long. Between two statements a
/// file is read, which may take its time.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = 0; \
    SET LOCAL idle_in_transaction_session_timeout = 0";

const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '' \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname, a.attnum";

const KEYS: &str = "SELECT c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
    WHERE c.relnamespace = $1::regnamespace AND i.indisprimary ORDER BY c.relname, k.place";

const REFERENCES: &str = "SELECT c.relname::text, r.conname::text, pg_get_constraintdef(r.oid) FROM pg_constraint r \
    JOIN pg_class c ON c.oid = r.conrelid WHERE c.relnamespace = $1::regnamespace AND r.contype = 'f' AND r.conparentid = 0";

/// The open transaction.
pub(super) struct Target {
    connection: PgConnection,
}

/// A table that takes rows.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) kinds: Vec<Kind>,
    /// The columns that order its rows: its primary key, or all of them.
    key: Vec<String>,
}

/// A reference that is taken off for a time.
struct Reference {
    table: String,
    name: String,
    definition: String,
}

impl Target {
    pub(super) async fn begin(settings: &Settings) -> Result<Self, CopyError> {
        let url = settings.migration_url.as_ref().or(settings.url.as_ref()).ok_or(CopyError::NotPostgres)?;
        let options = postgres::direct(postgres::options(url, "migration_url")?);
        let mut target = Self { connection: postgres::connect(&options, settings.acquire_timeout).await? };
        target.run("begin a transaction", BEGIN.to_owned()).await?;
        Ok(target)
    }

    /// Keeps everything.
    pub(super) async fn commit(mut self) -> Result<(), CopyError> {
        self.run("commit", "COMMIT".to_owned()).await?;
        self.connection.close().await.map_err(failed("close the connection"))
    }

    /// Takes every table of a domain. In a schema that is `untouched` its own migrations made what rows there are.
    pub(super) async fn take(&mut self, source: &mut Source, untouched: bool) -> Result<Vec<Copied>, CopyError> {
        let (domain, roles) = (source.domain, Roles::of(source.domain));
        let become_owner = format!("SET LOCAL ROLE {}; SET LOCAL search_path = {}", roles.owner, roles.schema());
        self.run("become the owner of the schema", become_owner).await?;
        let tables = self.tables(source, &roles).await?;
        let references = self.references(&roles).await?;
        for table in &tables {
            self.run("lock a table", format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", quoted(&table.name))).await?;
        }
        for reference in &references {
            self.run("take off a reference", reference.drop_text()).await?;
        }
        for table in &tables {
            if untouched || table.name == SECRETS {
                self.run("empty a table", format!("DELETE FROM {}", quoted(&table.name))).await?;
            } else if self.has_rows(table).await? {
                return Err(CopyError::NotEmpty { domain, table: table.name.clone() });
            }
            self.fill(source, table).await?;
        }
        for reference in &references {
            self.run("put back a reference", reference.add_text()).await?;
        }
        let mut copied = Vec::with_capacity(tables.len());
        for table in tables {
            let (rows, digest) = self.compare(source, &table).await?;
            copied.push(Copied { domain, table: table.name, rows, digest });
        }
        Ok(copied)
    }

    /// The tables that the file has, as they are here.
    async fn tables(&mut self, source: &Source, roles: &Roles) -> Result<Vec<Table>, CopyError> {
        let domain = source.domain;
        let look = failed("look at its tables");
        let columns: Vec<(String, String, String, bool)> =
            sqlx::query_as(COLUMNS).bind(roles.schema()).fetch_all(&mut self.connection).await.map_err(look)?;
        let keys: Vec<(String, String)> = sqlx::query_as(KEYS)
            .bind(roles.schema())
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed("look at its keys"))?;
        let mut known = BTreeMap::<&str, BTreeMap<&str, &str>>::new();
        for (table, column, kind, is_generated) in &columns {
            if !is_generated {
                known.entry(table).or_default().insert(column, kind);
            }
        }
        let mut tables = Vec::new();
        for (name, columns) in &source.tables {
            let Some(here) = known.get(name.as_str()) else {
                return Err(CopyError::NoPlace { domain, what: name.clone() });
            };
            let mut kinds = Vec::with_capacity(columns.len());
            for column in columns {
                let full = format!("{name}.{column}");
                let Some(kind) = here.get(column.as_str()) else { return Err(CopyError::NoPlace { domain, what: full }) };
                match Kind::of(kind) {
                    Some(kind) => kinds.push(kind),
                    None => return Err(CopyError::TypeUnknown { domain, column: full, kind: (*kind).to_owned() }),
                }
            }
            let mut key: Vec<_> = keys.iter().filter(|(table, _)| table == name).map(|(_, column)| column.clone()).collect();
            if key.is_empty() {
                key.clone_from(columns);
            }
            tables.push(Table { name: name.clone(), columns: columns.clone(), kinds, key });
        }
        Ok(tables)
    }

    async fn references(&mut self, roles: &Roles) -> Result<Vec<Reference>, CopyError> {
        let found: Vec<(String, String, String)> = sqlx::query_as(REFERENCES)
            .bind(roles.schema())
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed("look at its references"))?;
        Ok(found.into_iter().map(|(table, name, definition)| Reference { table, name, definition }).collect())
    }

    async fn has_rows(&mut self, table: &Table) -> Result<bool, CopyError> {
        let text = format!("SELECT EXISTS (SELECT FROM {})", quoted(&table.name));
        sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut self.connection).await.map_err(failed("look into a table"))
    }

    /// Inserts every row of the file's table.
    async fn fill(&mut self, source: &mut Source, table: &Table) -> Result<(), CopyError> {
        let domain = source.domain;
        let insert = |source| CopyError::Target { step: format!("insert into {} of {domain}", table.name), source };
        let read = sqlx::query(select(&table.name, &table.columns, &table.key));
        let mut rows = read.fetch(&mut source.connection);
        let (mut batch, mut row) = (Batch::default(), 0);
        let unreadable = |row| move |source| CopyError::Row { domain, table: table.name.clone(), row, source };
        while let Some(found) = rows.try_next().await.map_err(unreadable(row + 1))? {
            row += 1;
            let cells = value::from_sqlite(&found, &table.kinds).map_err(unreadable(row))?;
            if cells.iter().any(|cell| matches!(cell, Cell::Text(text) if text.contains('\0'))) {
                return Err(CopyError::Nul { domain, table: table.name.clone(), row });
            }
            if batch.add(cells) {
                batch.insert(&mut self.connection, table).await.map_err(insert)?;
            }
        }
        batch.insert(&mut self.connection, table).await.map_err(insert)
    }

    /// Reads both tables, and says how many rows they have and their digest; an error at the first that differs.
    async fn compare(&mut self, source: &mut Source, table: &Table) -> Result<(u64, Digest), CopyError> {
        let (domain, name) = (source.domain, &table.name);
        let unreadable = |row| move |error| CopyError::Row { domain, table: name.clone(), row, source: error };
        let mut originals = sqlx::query(select(name, &table.columns, &table.key)).fetch(&mut source.connection);
        let mut copies = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut self.connection);
        let (mut digest, mut rows) = (Context::new(&SHA256), 0);
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        loop {
            let original = originals.try_next().await.map_err(unreadable(rows + 1))?;
            let copy = copies.try_next().await.map_err(unreadable(rows + 1))?;
            let (original, copy) = match (original, copy) {
                (None, None) => break,
                (Some(original), Some(copy)) => (original, copy),
                (Some(_), None) | (None, Some(_)) => {
                    return Err(CopyError::Differs { domain, table: name.clone(), row: rows + 1 });
                }
            };
            rows += 1;
            let original = value::from_sqlite(&original, &table.kinds).map_err(unreadable(rows))?;
            let copy = value::from_postgres(&copy, &table.kinds).map_err(unreadable(rows))?;
            expected.clear();
            found.clear();
            for (original, copy) in original.iter().zip(&copy) {
                original.write(&mut expected);
                copy.write(&mut found);
            }
            if expected != found {
                return Err(CopyError::Differs { domain, table: name.clone(), row: rows });
            }
            digest.update(&found);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.finish().as_ref());
        Ok((rows, Digest(bytes)))
    }

    async fn run(&mut self, step: &str, text: String) -> Result<(), CopyError> {
        raw_sql(AssertSqlSafe(text)).execute(&mut self.connection).await.map(drop).map_err(failed(step))
    }
}

impl Table {
    /// Reads it in the order that SQLite has: texts by their bytes, whatever the database's collation.
    fn select(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| quoted(column)).collect();
        let is_text = |name: &String| {
            let kind = self.columns.iter().zip(&self.kinds).find(|(column, _)| *column == name).map(|(_, kind)| *kind);
            kind == Some(Kind::Text)
        };
        let order = |column: &String| if is_text(column) { format!("{} COLLATE \"C\"", quoted(column)) } else { quoted(column) };
        let key: Vec<_> = self.key.iter().map(order).collect();
        format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), quoted(&self.name), key.join(", "))
    }
}

impl Reference {
    fn drop_text(&self) -> String {
        format!("ALTER TABLE {} DROP CONSTRAINT {}", quoted(&self.table), quoted(&self.name))
    }

    fn add_text(&self) -> String {
        format!("ALTER TABLE {} ADD CONSTRAINT {} {}", quoted(&self.table), quoted(&self.name), self.definition)
    }
}

fn failed(step: &str) -> impl FnOnce(sqlx::Error) -> CopyError {
    let step = step.to_owned();
    move |source| CopyError::Target { step, source }
}

/// An identifier, whatever is in it.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
