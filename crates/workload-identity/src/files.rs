//! Certificates that something else puts into files: cert-manager, a SPIFFE CSI driver, a person.
//!
//! Rule: one folder a workload, named after it, with the names Kubernetes gives to a TLS secret:
//!
//! ```text
//! orders/tls.crt   the chain, the workload's own certificate first
//! orders/tls.key   its private key; other users may not read it (a group may: Kubernetes sets one)
//! orders/ca.crt    the roots
//! ```
//!
//! The folder is read once, when it is opened. Everything in it must be usable then: a service that would fail at its
//! first handshake fails at its start.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::error::IdentityError;
use crate::folder::{self, CHAIN_FILE, KEY_FILE, ROOTS_FILE, failed};
use crate::identity::Identity;
use crate::names::{NameMap, WorkloadName};
use crate::roots::Roots;
use crate::source::CertificateSource;
use crate::spiffe::TrustDomain;

/// A secret volume with a group (`fsGroup`) is mounted group-readable.
const KEY_MODE: u32 = 0o640;

/// The certificates of a folder, as they were when it was opened.
#[derive(Debug)]
pub struct FileSource {
    identities: HashMap<WorkloadName, Arc<Identity>>,
    roots: Arc<Roots>,
}

impl FileSource {
    /// Reads the folder.
    ///
    /// Any root in it vouches for any peer. Fails when a workload's folder lacks a file, a key is open to other users, or
    /// a certificate would be refused by peers at `now` or names another workload than its folder does.
    pub fn open(folder: &Path, trust_domain: TrustDomain, names: Arc<dyn NameMap>, now: UnixTime) -> Result<Self, IdentityError> {
        let workloads = workloads(folder)?;
        let mut certificates = Vec::new();
        for workload in &workloads {
            let path = folder.join(workload.as_str()).join(ROOTS_FILE);
            certificates.extend(folder::certificates(&path)?);
        }
        // Usually all folders hold the same root, and every handshake tries them in turn.
        certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        certificates.dedup();
        if certificates.is_empty() {
            return Err(IdentityError::NoCertificate(folder.to_owned()));
        }
        let roots = Roots::new(trust_domain, &certificates, names)?;
        let mut identities = HashMap::new();
        for workload in workloads {
            let identity = load(&folder.join(workload.as_str()), &workload, &roots, now)?;
            identities.insert(workload, Arc::new(identity));
        }
        Ok(Self { identities, roots: Arc::new(roots) })
    }
}

impl CertificateSource for FileSource {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        self.identities.get(workload).cloned().ok_or_else(|| IdentityError::UnknownWorkload(workload.clone()))
    }

    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots)
    }
}

/// The folders in a folder, less hidden ones: Kubernetes keeps `..data` beside what it mounts.
fn workloads(folder: &Path) -> Result<Vec<WorkloadName>, IdentityError> {
    let mut workloads = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let path = entry.map_err(failed("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let workload = name.parse().map_err(|source| IdentityError::FolderName { path: path.clone(), source })?;
        workloads.push(workload);
    }
    Ok(workloads)
}

fn load(folder: &Path, workload: &WorkloadName, roots: &Roots, now: UnixTime) -> Result<Identity, IdentityError> {
    let chain = folder::certificates(&folder.join(CHAIN_FILE))?;
    let key = folder::private_key(&folder.join(KEY_FILE), KEY_MODE)?;
    let identity = Identity::new(chain, key, roots, now)?;
    if identity.workload() != workload {
        return Err(IdentityError::OtherWorkload { wanted: workload.clone(), found: identity.workload().clone() });
    }
    Ok(identity)
}
