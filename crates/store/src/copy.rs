//! Moves an installation from SQLite files to PostgreSQL, and checks every row.
//!
//! Problem: who has outgrown one machine wants to lose nothing on the way to a server, and to find out before the users do.
//! Rule: nobody else has the files open meanwhile, so that all domains are of one moment; every table of every domain is
//! written in one transaction of the server, into tables that hold nothing and that nobody else can reach; then each row
//! is read back and compared with its original, value by value. Only then it is committed. References are taken off before
//! and put back after, so that tables and rows may come in any order, and are checked by the server when they are put back.
//! Recovery: whatever fails leaves the files as they were and the tables of the server empty; it can be begun again.
//!
//! Times are compared to the microsecond, which is what both databases keep; JSON is compared by what it says.

mod rows;
mod source;
mod target;
mod value;

use std::path::{Path, PathBuf};

use weft_call::Digest;

use crate::{Databases, DomainSchema, Settings, StoreError};

use source::Source;
use target::Target;

/// A table that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Whose.
    pub domain: &'static str,
    /// Its name.
    pub table: String,
    /// How many rows it has on both sides.
    pub rows: u64,
    /// SHA-256 of all of them, in the order of their keys: the same on both sides.
    pub digest: Digest,
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nowhere to move to.
    #[error("the target is no PostgreSQL database")]
    NotPostgres,
    /// A domain has no file.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// Somebody has a file open.
    #[error("{} is in use: stop the processes that have it open first", .0.display())]
    InUse(PathBuf),
    /// The files are of an earlier release.
    #[error("the file of {domain} has migrations to apply first: {}", pending.join(", "))]
    SourcePending {
        /// The domain.
        domain: &'static str,
        /// Which.
        pending: Vec<String>,
    },
    /// The target holds records.
    #[error("{table} of {domain} already holds rows in the target: nothing is overwritten")]
    NotEmpty {
        /// The domain.
        domain: &'static str,
        /// The table.
        table: String,
    },
    /// A table or column has no place in the target.
    #[error("{what} of {domain} has no place in the target")]
    NoPlace {
        /// The domain.
        domain: &'static str,
        /// The table, or table and column.
        what: String,
    },
    /// A column is of a type that is not one of both databases.
    #[error("{column} of {domain} is of the type {kind}, which is not moved")]
    TypeUnknown {
        /// The domain.
        domain: &'static str,
        /// Table and column.
        column: String,
        /// Its type in the target.
        kind: String,
    },
    /// A row is not what its table says.
    #[error("row {row} of {table} of {domain} cannot be read")]
    Row {
        /// The domain.
        domain: &'static str,
        /// The table.
        table: String,
        /// Which, from 1, in the order of the key.
        row: u64,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A text that PostgreSQL cannot hold.
    #[error("row {row} of {table} of {domain} has a text with a NUL, which PostgreSQL does not hold")]
    Nul {
        /// The domain.
        domain: &'static str,
        /// The table.
        table: String,
        /// Which, from 1, in the order of the key.
        row: u64,
    },
    /// A row is not the same on both sides.
    #[error("row {row} of {table} of {domain} is not the same in the target: nothing was kept")]
    Differs {
        /// The domain.
        domain: &'static str,
        /// The table.
        table: String,
        /// Which, from 1, in the order of the key.
        row: u64,
    },
    /// A file cannot be read.
    #[error("{} cannot be read", file.display())]
    Source {
        /// Which.
        file: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The server refuses a step.
    #[error("the target could not {step}")]
    Target {
        /// Which.
        step: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The target cannot be opened or migrated.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves all domains from the SQLite files in `folder` to the PostgreSQL database of `settings`, or none.
///
/// Migrations are applied to the target first, and stay whatever follows.
pub async fn copy(folder: &Path, settings: &Settings, schemas: &[&DomainSchema]) -> Result<Vec<Copied>, CopyError> {
    if settings.url.is_none() {
        return Err(CopyError::NotPostgres);
    }
    let mut sources = Vec::with_capacity(schemas.len());
    for schema in schemas {
        sources.push(Source::open(folder, schema).await?);
    }
    let databases = Databases::open(settings).await?;
    let mut untouched = Vec::with_capacity(schemas.len());
    for schema in schemas {
        // Whatever rows a schema has that was not there before, its own migrations made.
        untouched.push(databases.pending(schema).await?.len() == schema.migration_count(true)?);
        databases.migrate(schema).await?;
    }
    databases.close().await;
    let mut target = Target::begin(settings).await?;
    let mut copied = Vec::new();
    for (source, untouched) in sources.iter_mut().zip(untouched) {
        copied.extend(target.take(source, untouched).await?);
    }
    target.commit().await?;
    for source in sources {
        source.close().await?;
    }
    Ok(copied)
}
