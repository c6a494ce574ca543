//! An authority that issues whatever is asked for, also what no authority should.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    sign::CertifiedKey,
};
use weft_workload_identity::{CertificateSource, DomainPath, Identity, IdentityError, NameMap, Roots, SpiffeId, WorkloadName};

const DAY: Duration = Duration::from_hours(24);

/// What issues certificates for the trust domain `weft.local`.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A certificate to issue.
pub(crate) struct Wanted {
    /// Its URI name.
    pub(crate) id: String,
    /// When it ends, before or after now.
    pub(crate) is_expired: bool,
}

impl Wanted {
    /// A workload's, as it should be.
    pub(crate) fn of(workload: &str) -> Self {
        Self { id: format!("spiffe://weft.local/domain/{workload}"), is_expired: false }
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let (pem, certificate) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), certificate, pem }
    }

    fn issue(&self, wanted: &Wanted) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(wanted.id.as_str().try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = SystemTime::now();
        let (begin, end) = if wanted.is_expired { (now - DAY * 2, now - DAY) } else { (now - DAY, now + DAY) };
        (params.not_before, params.not_after) = (begin.into(), end.into());
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    pub(crate) fn certified(&self, wanted: &Wanted) -> Arc<CertifiedKey> {
        let (certificate, key) = self.issue(wanted);
        let chain = vec![certificate.der().clone()];
        Arc::new(CertifiedKey::from_der(chain, key.into(), &ring::default_provider()).unwrap())
    }

    /// The folder of a workload, as cert-manager would fill it.
    pub(crate) fn mount(&self, folder: &Path, workload: &str) {
        let (certificate, key) = self.issue(&Wanted::of(workload));
        let own = folder.join(workload);
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("tls.crt"), certificate.pem()).unwrap();
        fs::write(own.join("ca.crt"), &self.pem).unwrap();
        let private = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(own.join("tls.key"));
        std::io::Write::write_all(&mut private.unwrap(), key.serialize_pem().as_bytes()).unwrap();
    }

    fn roots(&self, names: Arc<dyn NameMap>) -> Arc<Roots> {
        Arc::new(Roots::new("weft.local".parse().unwrap(), std::slice::from_ref(&self.certificate), names).unwrap())
    }

    /// A source that holds one workload.
    pub(crate) fn source(&self, workload: &str, names: Arc<dyn NameMap>) -> Arc<dyn CertificateSource> {
        let (certificate, key) = self.issue(&Wanted::of(workload));
        let (chain, honest) = (vec![certificate.der().clone()], self.roots(Arc::new(DomainPath)));
        let identity = Identity::new(chain, key.into(), &honest, UnixTime::now()).unwrap();
        Arc::new(OneWorkload { identity: Arc::new(identity), roots: self.roots(names) })
    }
}

/// The sabotage: whatever the id is, it is taken for this workload's.
#[derive(Debug)]
pub(crate) struct Anybody(pub(crate) &'static str);

impl NameMap for Anybody {
    fn workload(&self, _: &SpiffeId) -> Option<WorkloadName> {
        self.0.parse().ok()
    }
}

#[derive(Debug)]
struct OneWorkload {
    identity: Arc<Identity>,
    roots: Arc<Roots>,
}

impl CertificateSource for OneWorkload {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        if self.identity.workload() == workload {
            return Ok(Arc::clone(&self.identity));
        }
        Err(IdentityError::UnknownWorkload(workload.clone()))
    }

    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots)
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        Some(self.identity.not_after())
    }
}
