//! Certificates that something else puts into files: cert-manager, a SPIFFE CSI driver, a person.
//!
//! # Problem
//!
//! Whoever puts the files there replaces them, without telling anyone and not always at one moment.
//!
//! # Rule
//!
//! One folder a workload, named after it, with the names Kubernetes gives to a TLS secret:
//!
//! ```text
//! orders/tls.crt   the chain, the workload's own certificate first
//! orders/tls.key   its private key; other users may not read it (a group may: Kubernetes sets one)
//! orders/ca.crt    the roots; one of them vouches for the certificate beside it
//! ```
//!
//! Everything must be usable when the source is opened: a service that would fail at its first handshake fails at its
//! start. A watched folder is read again every few seconds, by content and not by time stamp, since secret volumes
//! replace a link. What changed is taken once it has been the same twice in a row, so that nobody's half-written file is.
//! Each workload's folder is taken whole or not at all; the roots of all folders vouch together, and are in use at the
//! same moment as the certificates they came with.
//!
//! # Recovery
//!
//! A folder that cannot be used, or is gone, leaves its workload with the certificate and roots read before, and the
//! other workloads with their new ones. It is logged when that begins, when the reason changes, and when it is over.

mod mounted;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use tokio_util::task::AbortOnDropHandle;

use crate::error::IdentityError;
use crate::folder::failed;
use crate::identity::Identity;
use crate::names::{NameMap, WorkloadName};
use crate::roots::Roots;
use crate::source::CertificateSource;
use crate::spiffe::TrustDomain;
use mounted::{Mounted, Reading};
use watch::Watch;

/// The certificates of a folder.
#[derive(Debug)]
pub struct FileSource {
    files: Arc<Files>,
    _watch: Option<AbortOnDropHandle<()>>,
}

/// What is read, and what was read last.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    trust_domain: TrustDomain,
    names: Arc<dyn NameMap>,
    snapshot: ArcSwap<Snapshot>,
    /// Something in the folder cannot be used, or all of it cannot be read.
    is_faulty: AtomicBool,
}

/// Certificates and roots that belong together.
#[derive(Debug)]
struct Snapshot {
    mounted: BTreeMap<WorkloadName, Arc<Mounted>>,
    roots: Arc<Roots>,
}

impl FileSource {
    /// How often a watched folder is best read. The kubelet itself brings a changed secret with up to a minute's delay.
    pub const PERIOD: Duration = Duration::from_secs(5);

    /// Reads the folder once.
    ///
    /// Any root in it vouches for any peer. Fails when a workload's folder lacks a file, a key is open to other users, or
    /// a certificate would be refused by peers at `now` or names another workload than its folder does.
    pub fn open(folder: &Path, trust_domain: TrustDomain, names: Arc<dyn NameMap>, now: UnixTime) -> Result<Self, IdentityError> {
        Ok(Self { files: Arc::new(Files::open(folder, trust_domain, names, now)?), _watch: None })
    }

    /// Reads the folder now, with the same demands as [`open`](Self::open), and again every `period` until this is
    /// dropped. Must be called within a Tokio runtime.
    pub fn watch(
        folder: &Path,
        trust_domain: TrustDomain,
        names: Arc<dyn NameMap>,
        clock: Arc<dyn TimeProvider>,
        period: Duration,
    ) -> Result<Self, IdentityError> {
        let now = clock.current_time().ok_or(IdentityError::NoTime)?;
        let files = Arc::new(Files::open(folder, trust_domain, names, now)?);
        let watch = tokio::spawn(Watch::new(Arc::clone(&files)).run(clock, period));
        Ok(Self { files, _watch: Some(AbortOnDropHandle::new(watch)) })
    }
}

impl CertificateSource for FileSource {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        let snapshot = self.files.snapshot.load();
        let mounted = snapshot.mounted.get(workload).ok_or_else(|| IdentityError::UnknownWorkload(workload.clone()))?;
        Ok(Arc::clone(&mounted.identity))
    }

    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.files.snapshot.load().roots)
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        self.files.snapshot.load().mounted.values().map(|mounted| mounted.identity.not_after()).min()
    }

    fn is_stale(&self) -> bool {
        self.files.is_faulty.load(Ordering::Relaxed)
    }
}

impl Files {
    fn open(folder: &Path, trust_domain: TrustDomain, names: Arc<dyn NameMap>, now: UnixTime) -> Result<Self, IdentityError> {
        let mut mounted = BTreeMap::new();
        for workload in workloads(folder)? {
            let read = Reading::of(&folder.join(workload.as_str()))?.accept(&workload, &trust_domain, &names, now)?;
            mounted.insert(workload, Arc::new(read));
        }
        if mounted.is_empty() {
            return Err(IdentityError::NoCertificate(folder.to_owned()));
        }
        let snapshot = ArcSwap::from_pointee(Snapshot::of(mounted, &trust_domain, &names)?);
        Ok(Self { folder: folder.to_owned(), trust_domain, names, snapshot, is_faulty: AtomicBool::new(false) })
    }
}

impl Snapshot {
    fn of(
        mounted: BTreeMap<WorkloadName, Arc<Mounted>>,
        trust_domain: &TrustDomain,
        names: &Arc<dyn NameMap>,
    ) -> Result<Self, IdentityError> {
        let mut roots: Vec<CertificateDer<'static>> =
            mounted.values().flat_map(|mounted| mounted.roots.iter().cloned()).collect();
        // Usually all folders hold the same root, and every handshake tries them in turn.
        roots.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        roots.dedup();
        let roots = Arc::new(Roots::new(trust_domain.clone(), &roots, Arc::clone(names))?);
        Ok(Self { mounted, roots })
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
