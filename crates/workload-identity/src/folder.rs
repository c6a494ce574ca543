//! Certificates and keys in files: who may read them, how they are written, who writes them.
//!
//! Rule: a private key is read only from a file that other users cannot open. A file is written beside its place, synced
//! and renamed, so a reader sees the old or the new and never half of one. Processes that share a folder take its lock
//! before they change it; the lock dies with its holder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::error::IdentityError;

/// A workload's certificate chain, in its folder.
pub(crate) const CHAIN_FILE: &str = "tls.crt";
/// A workload's private key, in its folder.
pub(crate) const KEY_FILE: &str = "tls.key";
/// The roots' certificates.
pub(crate) const ROOTS_FILE: &str = "ca.crt";

/// Only the owner reads and writes.
pub(crate) const PRIVATE: u32 = 0o600;
/// Everyone reads: certificates are public.
pub(crate) const PUBLIC: u32 = 0o644;
const PRIVATE_FOLDER: u32 = 0o700;
/// No certificate or key comes near this; a larger file was put there by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The right to change a folder, held until dropped.
#[derive(Debug)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl FolderLock {
    /// Waits for the lock. A holder that died has released it.
    pub(crate) fn acquire(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(PRIVATE)
            .open(&path)
            .map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(Self(file))
    }
}

/// Makes a folder that only its owner may enter, or checks that it is one.
pub(crate) fn make_private(folder: &Path) -> Result<(), IdentityError> {
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder).map_err(failed("create", folder))?;
    let metadata = fs::metadata(folder).map_err(failed("read", folder))?;
    check_mode(folder, metadata.permissions().mode(), PRIVATE_FOLDER)
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write(folder: &Path, name: &str, content: &[u8], mode: u32) -> Result<(), IdentityError> {
    let path = folder.join(name);
    let new = folder.join(format!(".{name}.new"));
    write_synced(&new, content, mode)
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(failed("write", &path))
}

/// All certificates of a PEM file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    parse_certificates(path, &read(path)?)
}

/// The private key of a PEM file whose permission bits are within `allowed`.
pub(crate) fn private_key(path: &Path, allowed: u32) -> Result<PrivateKeyDer<'static>, IdentityError> {
    parse_private_key(path, &read_private(path, allowed)?)
}

/// All certificates in what a file held; at least one.
pub(crate) fn parse_certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let certificates = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| IdentityError::Pem { path: path.to_owned(), what: "certificate", source })?;
    if certificates.is_empty() {
        return Err(IdentityError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

/// The private key in what a file held.
pub(crate) fn parse_private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|source| IdentityError::Pem {
        path: path.to_owned(),
        what: "private key",
        source,
    })
}

/// What a file holds.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    read_limited(path, None)
}

/// What a file holds whose permission bits are within `allowed`.
pub(crate) fn read_private(path: &Path, allowed: u32) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    read_limited(path, Some(allowed))
}

/// Whether a file is there; an error that hides it is not taken for its absence.
pub(crate) fn exists(path: &Path) -> Result<bool, IdentityError> {
    path.try_exists().map_err(failed("read", path))
}

/// Turns a system error into one that says what was tried on which file.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = PathBuf::from(path);
    move |source| IdentityError::File { action, path, source }
}

fn read_limited(path: &Path, allowed: Option<u32>) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let file = File::open(path).map_err(failed("read", path))?;
    // The mode of the open file, not of the path: the two could differ by now.
    let metadata = file.metadata().map_err(failed("read", path))?;
    if let Some(allowed) = allowed {
        check_mode(path, metadata.permissions().mode(), allowed)?;
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(failed("read", path)(io::ErrorKind::FileTooLarge.into()));
    }
    // Room for all of it from the start: a buffer that grows leaves copies of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(failed("read", path))?;
    Ok(content)
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // What a crash left behind may have any content and any mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn check_mode(path: &Path, mode: u32, allowed: u32) -> Result<(), IdentityError> {
    let mode = mode & 0o777;
    if mode & !allowed == 0 {
        return Ok(());
    }
    Err(IdentityError::LooseMode { path: path.to_owned(), mode, allowed })
}
