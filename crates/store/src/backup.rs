//! Copies of SQLite files, made while they are written to.
//!
//! Problem: a file that is copied while somebody writes to it is torn, and what is in its write-ahead
//! log is missed. Rule: SQLite itself writes the copy, in one transaction that sees one moment
//! (`VACUUM INTO`); the copy has its name only once it is whole and its pages were checked. To restore,
//! a copy is checked again and put where no database is: nothing is ever overwritten. Each domain's copy
//! is of a moment of its own; what events tell between domains is made up by their relays, and consumers
//! know what they have handled. Recovery: whatever fails leaves neither half a copy nor half a database.
//!
//! PostgreSQL has its own: `pg_dump`, and write-ahead archives for a point in time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{DomainSchema, Settings, StoreError, sqlite};

/// Why a copy was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The records are not in SQLite files.
    #[error("the records are in PostgreSQL: back them up with pg_dump")]
    NotSqlite,
    /// There is nothing to copy.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// Something has the name already.
    #[error("{} is there already, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// The file system refuses.
    #[error("{} cannot be written", file.display())]
    File {
        /// What.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("SQLite cannot copy {}", file.display())]
    Copy {
        /// What.
        file: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
    /// The copy is damaged.
    #[error("{} is damaged: {fault}", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What SQLite found.
        fault: String,
    },
    /// The folder cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies a domain's file into `folder`, whoever writes to it; returns where the copy is.
pub async fn backup(settings: &Settings, schema: &DomainSchema, folder: &Path) -> Result<PathBuf, BackupError> {
    copy_between(settings, schema, (&settings.data_dir, folder)).await
}

/// Puts a domain's copy from `folder` back, where no file of the domain is; returns where it is now.
pub async fn restore(settings: &Settings, schema: &DomainSchema, folder: &Path) -> Result<PathBuf, BackupError> {
    copy_between(settings, schema, (folder, &settings.data_dir)).await
}

async fn copy_between(settings: &Settings, schema: &DomainSchema, (from, to): (&Path, &Path)) -> Result<PathBuf, BackupError> {
    schema.check_names()?;
    if settings.url.is_some() {
        return Err(BackupError::NotSqlite);
    }
    let (source, target) = (sqlite::file(from, schema.domain()), sqlite::file(to, schema.domain()));
    if !source.exists() {
        return Err(BackupError::Missing(source));
    }
    // A log beside it would be read as the new file's own.
    for taken in [target.clone(), beside(&target, "-wal"), beside(&target, "-shm")] {
        if taken.exists() {
            return Err(BackupError::Exists(taken));
        }
    }
    sqlite::make_folder(to)?;
    let draft = beside(&target, ".part");
    let written = write(&source, &draft).await;
    let named = written.and_then(|()| {
        let failed = |source| BackupError::File { file: target.clone(), source };
        // Unlike a renaming, a link does not replace what has come in the meantime.
        fs::hard_link(&draft, &target).map_err(failed)?;
        fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(failed)
    });
    let removed = fs::remove_file(&draft);
    named?;
    removed.map_err(|source| BackupError::File { file: draft, source })?;
    Ok(target)
}

/// Writes a whole copy, and checks it.
async fn write(source: &Path, draft: &Path) -> Result<(), BackupError> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(BackupError::File { file: draft.to_owned(), source: error });
        }
        _ => {}
    }
    let failed = |file: &Path| {
        let file = file.to_owned();
        move |source| BackupError::Copy { file, source }
    };
    let mut reader = sqlite::connect_to_read(source).await.map_err(failed(source))?;
    let copy = sqlx::query("VACUUM INTO $1").bind(draft.to_string_lossy().into_owned());
    copy.execute(&mut reader).await.map_err(failed(source))?;
    reader.close().await.map_err(failed(source))?;
    let options = SqliteConnectOptions::new().filename(draft).create_if_missing(false);
    let mut copy = SqliteConnection::connect_with(&options).await.map_err(failed(draft))?;
    let fault: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await.map_err(failed(draft))?;
    copy.close().await.map_err(failed(draft))?;
    if fault != "ok" {
        return Err(BackupError::Damaged { file: draft.to_owned(), fault });
    }
    private(draft)
        .and_then(|()| fs::File::open(draft)?.sync_all())
        .map_err(|source| BackupError::File { file: draft.to_owned(), source })
}

/// For its owner alone.
fn private(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
