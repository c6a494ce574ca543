//! Moving an installation from SQLite files to PostgreSQL.

use std::{fmt::Write as _, io::Write, path::PathBuf};

use secrecy::SecretString;
use weft_config::Config;
use weft_mesh::{
    Domain, database_settings,
    store::{self, Pooler, Settings},
};

use crate::failure::Failure;

/// Copies every table of every domain, or nothing, and tells each with its rows and their digest.
pub(crate) async fn copy(
    config: &Config,
    domains: &[Domain],
    from: Option<PathBuf>,
    to: Option<SecretString>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let configured = database_settings(config);
    let settings = match to {
        Some(url) => {
            store::check_url(&url).map_err(|_| Failure::CopyToInvalid)?;
            Settings { migration_url: Some(url.clone()), url: Some(url), pooler: Pooler::None, ..configured }
        }
        None if configured.url.is_none() => return Err(Failure::CopyToNowhere),
        None => configured,
    };
    let folder = from.unwrap_or_else(|| config.data_dir.clone());
    let schemas: Vec<_> = domains.iter().map(Domain::schema).collect();
    let copied = store::copy::copy(&folder, &settings, &schemas).await?;
    let mut rows = 0;
    for table in &copied {
        let mut digest = String::new();
        for byte in &table.digest.0[..8] {
            // Writing to a string does not fail.
            let _ = write!(digest, "{byte:02x}");
        }
        writeln!(out, "{}.{}: {} rows, sha256 {digest}", table.domain, table.table, table.rows).map_err(Failure::Output)?;
        rows += table.rows;
    }
    writeln!(out, "{rows} rows of {} tables copied, each compared with its original", copied.len()).map_err(Failure::Output)?;
    let key = folder.join("seal.key");
    if key.exists() {
        let told = "the secrets among them open with the same key alone: set seal.key_file to a copy of";
        writeln!(out, "{told} {}", key.display()).map_err(Failure::Output)?;
    }
    Ok(())
}

/// Reads where to copy from.
pub(crate) fn source(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    path.filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| "it must be sqlite:FOLDER, such as sqlite:.weft".to_owned())
}
