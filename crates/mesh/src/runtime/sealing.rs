//! The keys that secrets at rest are sealed with: from the configuration, or a laptop's own.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use secrecy::{ExposeSecret, SecretString};
use weft_config::Config;
use weft_seal::{Sealer, fresh_key};

use crate::StartError;

/// The file in the data directory that holds a laptop's key.
const FILE: &str = "seal.key";

/// The keys of the configuration. Without any, files of SQLite get a key that is made beside them; a database that others
/// share is not sealed by what only this machine has, and its secrets stand as they are.
pub(super) fn open(config: &Config) -> Result<Option<Sealer>, StartError> {
    let previous = config.seal.previous_keys.as_ref().map_or("", ExposeSecret::expose_secret);
    let previous = previous.split(',').map(str::trim).filter(|key| !key.is_empty());
    let newest = match &config.seal.key {
        Some(key) => key.clone(),
        None if config.database.url.is_none() => own_key(&config.data_dir)?,
        None => {
            tracing::warn!("secrets of domains stand unsealed in the database: set seal.key (openssl rand -base64 32)");
            return Ok(None);
        }
    };
    Sealer::new(newest.expose_secret(), previous).map(Some).map_err(StartError::SealKey)
}

fn own_key(folder: &Path) -> Result<SecretString, StartError> {
    let file = folder.join(FILE);
    let failed = |source| StartError::SealFile { file: file.clone(), source };
    if let Some(key) = read(&file).map_err(failed)? {
        return Ok(key);
    }
    let key = fresh_key().map_err(|_| StartError::NoRandomness)?;
    fs::create_dir_all(folder).map_err(failed)?;
    // Complete before it has its name, and never in place of one that another process has made meanwhile.
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    write(&draft, key.as_bytes()).map_err(failed)?;
    let linked = fs::hard_link(&draft, &file);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => read(&file).map_err(failed)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into())),
    }
}

fn read(file: &Path) -> io::Result<Option<SecretString>> {
    match fs::read_to_string(file) {
        Ok(key) => Ok(Some(key.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn config(folder: &Path) -> Config {
        Config { data_dir: folder.join("data"), ..Config::default() }
    }

    #[test]
    fn a_laptop_makes_its_key_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let sealed = open(&config).unwrap().unwrap().seal("a", b"secret").unwrap();
        assert_eq!(open(&config).unwrap().unwrap().open("a", &sealed).unwrap().as_slice(), b"secret");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(config.data_dir.join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_is_none_stops_the_start_and_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.seal.key = Some("c2hvcnQ=".into());
        let error = open(&config).unwrap_err().to_string();
        assert!(error.contains("seal.key") && !error.contains("c2hvcnQ"), "{error}");
    }
}
