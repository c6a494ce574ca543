//! A certificate authority for a laptop, so that development runs with the same mutual TLS as production.
//!
//! # Problem
//!
//! `weft up` needs certificates before anything is installed, and several processes started at once on one folder must
//! trust each other.
//!
//! # Rule
//!
//! One folder, which only its owner may enter, holds everything:
//!
//! ```text
//! ca.crt  ca.key                  the authority: P-256, ten years, made by the first process that comes
//! orders/tls.crt  orders/tls.key  a workload's certificate: seven days
//! ```
//!
//! A workload's certificate is made when it is first asked for, and made anew when half of its life is over. Whoever
//! changes the folder holds its lock, so all processes end up with the same authority and the same certificates.
//!
//! # Recovery
//!
//! A process that dies while writing leaves either no certificate or a key that does not match one: both are made anew.
//! A key that others can read, an authority of another trust domain or one whose parts do not fit is refused, never
//! replaced: someone may still trust it. Removing the folder starts anew.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::folder::{self, CHAIN_FILE, FolderLock, KEY_FILE, PRIVATE, PUBLIC, ROOTS_FILE};
use crate::identity::Identity;
use crate::names::{DomainPath, WorkloadName};
use crate::roots::Roots;
use crate::source::CertificateSource;
use crate::spiffe::{SpiffeId, TrustDomain};

const CA_KEY_FILE: &str = "ca.key";
const DAY: Duration = Duration::from_hours(24);
const CA_LIFE: Duration = DAY.saturating_mul(3650);
const LEAF_LIFE: Duration = DAY.saturating_mul(7);
/// Clocks of containers on one laptop differ by a little.
const BACKDATED: Duration = Duration::from_mins(5);

/// The development certificate authority: issues a certificate to any workload that asks in this process.
pub struct DevelopmentCa {
    folder: PathBuf,
    trust_domain: TrustDomain,
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<Roots>,
    leaves: RwLock<HashMap<WorkloadName, Arc<Identity>>>,
    clock: Arc<dyn TimeProvider>,
}

impl DevelopmentCa {
    /// Opens the authority kept in a folder, or makes it.
    ///
    /// Fails when the folder or a key in it is open to other users, and when the authority there is not one of this
    /// trust domain.
    pub fn open(folder: &Path, trust_domain: TrustDomain) -> Result<Self, IdentityError> {
        Self::open_with_clock(folder, trust_domain, Arc::new(DefaultTimeProvider))
    }

    /// The same, with another clock than the system's.
    pub fn open_with_clock(
        folder: &Path,
        trust_domain: TrustDomain,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, IdentityError> {
        let now = clock.current_time().ok_or(IdentityError::NoTime)?;
        folder::make_private(folder)?;
        let _lock = FolderLock::acquire(folder)?;
        let path = folder.join(ROOTS_FILE);
        if !folder::exists(&path)? {
            make_authority(folder, &trust_domain, now)?;
        }
        let (certificate, key) = load_authority(folder, &trust_domain, now)?;
        let names = Arc::new(DomainPath);
        let roots = Roots::new(trust_domain.clone(), std::slice::from_ref(&certificate), names)?;
        Ok(Self {
            folder: folder.to_owned(),
            trust_domain,
            issuer: Issuer::from_ca_cert_der(&certificate, key)?,
            roots: Arc::new(roots),
            leaves: RwLock::default(),
            clock,
        })
    }

    /// A certificate that is fresh at `now`: from the folder, or issued. One process at a time.
    fn load_or_issue(&self, workload: &WorkloadName, now: UnixTime) -> Result<Identity, IdentityError> {
        let folder = self.folder.join(workload.as_str());
        let _lock = FolderLock::acquire(&self.folder)?;
        folder::make_private(&folder)?;
        match self.load(&folder, now) {
            Ok(Some(identity)) if identity.workload() == workload && is_fresh(&identity, now) => {
                return Ok(identity);
            }
            // Someone may have read the key: that is for a person to decide.
            Err(error @ (IdentityError::LooseMode { .. } | IdentityError::File { .. })) => {
                return Err(error);
            }
            Err(error) => tracing::info!(%workload, %error, "the certificate is replaced"),
            Ok(_) => {}
        }
        let id = DomainPath::id(&self.trust_domain, workload)?;
        self.issue(&folder, &id, now)
    }

    fn load(&self, folder: &Path, now: UnixTime) -> Result<Option<Identity>, IdentityError> {
        let (chain, key) = (folder.join(CHAIN_FILE), folder.join(KEY_FILE));
        if !folder::exists(&chain)? || !folder::exists(&key)? {
            return Ok(None);
        }
        let key = folder::private_key(&key, PRIVATE)?;
        let chain = folder::certificates(&chain)?;
        Identity::new(chain, key, &self.roots, now).map(Some)
    }

    fn issue(&self, folder: &Path, id: &SpiffeId, now: UnixTime) -> Result<Identity, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = parameters(id, now, LEAF_LIFE)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = Zeroizing::new(key.serialize_pem());
        // The key first: a certificate without its key would be of no use, a key without certificate is replaced.
        folder::write(folder, KEY_FILE, key.as_bytes(), PRIVATE)?;
        folder::write(folder, CHAIN_FILE, certificate.pem().as_bytes(), PUBLIC)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|source| IdentityError::Pem {
            path: folder.join(KEY_FILE),
            what: "private key",
            source,
        })?;
        Identity::new(vec![certificate.der().clone()], key, &self.roots, now)
    }
}

impl CertificateSource for DevelopmentCa {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        let now = self.clock.current_time().ok_or(IdentityError::NoTime)?;
        let leaves = self.leaves.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = leaves.get(workload).filter(|identity| is_fresh(identity, now)) {
            return Ok(Arc::clone(identity));
        }
        drop(leaves);
        let identity = Arc::new(self.load_or_issue(workload, now)?);
        let mut leaves = self.leaves.write().unwrap_or_else(PoisonError::into_inner);
        leaves.insert(workload.clone(), Arc::clone(&identity));
        Ok(identity)
    }

    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots)
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        let leaves = self.leaves.read().unwrap_or_else(PoisonError::into_inner);
        leaves.values().map(|identity| identity.not_after()).min()
    }
}

impl fmt::Debug for DevelopmentCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentCa")
            .field("folder", &self.folder)
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

/// Less than half of its life is over.
fn is_fresh(identity: &Identity, now: UnixTime) -> bool {
    let life = identity.not_after().duration_since(identity.not_before()).unwrap_or_default();
    system_time(now) < identity.not_before() + life / 2
}

fn make_authority(folder: &Path, trust_domain: &TrustDomain, now: UnixTime) -> Result<(), IdentityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = parameters(&trust_domain.id(), now, CA_LIFE)?;
    params.distinguished_name.push(DnType::CommonName, "weft development CA");
    // It signs workloads, and no further authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    let key = Zeroizing::new(key.serialize_pem());
    // The certificate last: while it is missing, nobody trusts the key, and the next start makes both anew.
    folder::write(folder, CA_KEY_FILE, key.as_bytes(), PRIVATE)?;
    folder::write(folder, ROOTS_FILE, certificate.pem().as_bytes(), PUBLIC)?;
    tracing::info!(folder = %folder.display(), %trust_domain, "made a development CA");
    Ok(())
}

fn load_authority(
    folder: &Path,
    trust_domain: &TrustDomain,
    now: UnixTime,
) -> Result<(CertificateDer<'static>, KeyPair), IdentityError> {
    let path = folder.join(ROOTS_FILE);
    let refused = |reason| IdentityError::DevelopmentCa { path: path.clone(), trust_domain: trust_domain.clone(), reason };
    let key = folder::private_key(&folder.join(CA_KEY_FILE), PRIVATE)?;
    let key = KeyPair::try_from(&key)?;
    let mut certificates = folder::certificates(&path)?.into_iter();
    let (Some(certificate), None) = (certificates.next(), certificates.next()) else {
        return Err(refused("there is more than one certificate"));
    };
    let (_, parsed) = parse_x509_certificate(&certificate).map_err(|_| refused("the certificate is malformed"))?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(refused("the key is not the certificate's"));
    }
    let names = parsed.subject_alternative_name().map_err(|_| refused("the certificate is malformed"))?;
    let id = trust_domain.id();
    let ours = |name: &GeneralName<'_>| matches!(name, GeneralName::URI(uri) if *uri == id.as_str());
    if !names.is_some_and(|names| names.value.general_names.iter().any(ours)) {
        return Err(refused("it is of another trust domain"));
    }
    let until = (now.as_secs() + LEAF_LIFE.as_secs()).cast_signed();
    if parsed.validity().not_after.timestamp() < until {
        return Err(refused("it expires within a week"));
    }
    Ok((certificate, key))
}

/// What both kinds of certificate have in common: the id as the only name, and the time.
fn parameters(id: &SpiffeId, now: UnixTime, life: Duration) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id.as_str())?)];
    params.not_before = (system_time(now) - BACKDATED).into();
    params.not_after = (system_time(now) + life).into();
    Ok(params)
}

fn system_time(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}
