//! One workload's folder, read at one moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::pki_types::{CertificateDer, UnixTime};
use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::folder::{self, CHAIN_FILE, KEY_FILE, ROOTS_FILE, failed};
use crate::identity::Identity;
use crate::names::{NameMap, WorkloadName};
use crate::roots::Roots;
use crate::spiffe::TrustDomain;

/// A secret volume with a group (`fsGroup`) is mounted group-readable.
const KEY_MODE: u32 = 0o640;
/// Where a secret volume's files are; replaced as a whole, by one rename.
const KUBERNETES_DATA: &str = "..data";

/// SHA-256 of what the files hold.
pub(super) type Digest = [u8; 32];

/// What the files held, and which ones they were.
pub(super) struct Reading {
    at: PathBuf,
    chain: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    roots: Zeroizing<Vec<u8>>,
}

/// A folder's files, found good.
#[derive(Debug)]
pub(super) struct Mounted {
    pub(super) digest: Digest,
    pub(super) identity: Arc<Identity>,
    pub(super) roots: Vec<CertificateDer<'static>>,
}

impl Reading {
    pub(super) fn of(folder: &Path) -> Result<Self, IdentityError> {
        let at = resolved(folder)?;
        Ok(Self {
            chain: folder::read(&at.join(CHAIN_FILE))?,
            key: folder::read_private(&at.join(KEY_FILE), KEY_MODE)?,
            roots: folder::read(&at.join(ROOTS_FILE))?,
            at,
        })
    }

    pub(super) fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for file in [&self.chain, &self.key, &self.roots] {
            context.update(&(file.len() as u64).to_be_bytes());
            context.update(file);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// Demands of the files what peers will, at `now`, and that they are this workload's.
    pub(super) fn accept(
        &self,
        workload: &WorkloadName,
        trust_domain: &TrustDomain,
        names: &Arc<dyn NameMap>,
        now: UnixTime,
    ) -> Result<Mounted, IdentityError> {
        let roots = folder::parse_certificates(&self.at.join(ROOTS_FILE), &self.roots)?;
        let chain = folder::parse_certificates(&self.at.join(CHAIN_FILE), &self.chain)?;
        let key = folder::parse_private_key(&self.at.join(KEY_FILE), &self.key)?;
        let trusted = Roots::new(trust_domain.clone(), &roots, Arc::clone(names))?;
        let identity = Identity::new(chain, key, &trusted, now)?;
        if identity.workload() != workload {
            return Err(IdentityError::OtherWorkload { wanted: workload.clone(), found: identity.workload().clone() });
        }
        Ok(Mounted { digest: self.digest(), identity: Arc::new(identity), roots })
    }
}

/// Follows the links that a secret volume replaces once, so that all files are of one state.
fn resolved(folder: &Path) -> Result<PathBuf, IdentityError> {
    let data = folder.join(KUBERNETES_DATA);
    if folder::exists(&data)? {
        return data.canonicalize().map_err(failed("read", &data));
    }
    let metadata = fs::symlink_metadata(folder).map_err(failed("read", folder))?;
    if metadata.is_symlink() { folder.canonicalize().map_err(failed("read", folder)) } else { Ok(folder.to_owned()) }
}
