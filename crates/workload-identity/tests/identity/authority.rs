//! An authority that issues whatever a test asks for, also what no authority should.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use weft_workload_identity::{CertificateSource, DomainPath, Identity, IdentityError, Roots, TrustDomain, WorkloadName};

pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) fn name(name: &str) -> WorkloadName {
    name.parse().unwrap()
}

pub(crate) fn trust_domain() -> TrustDomain {
    "weft.local".parse().unwrap()
}

pub(crate) fn spiffe(workload: &str) -> SanType {
    uri(&format!("spiffe://weft.local/domain/{workload}"))
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// A clock that stands still, some days from now.
#[derive(Debug)]
pub(crate) struct StoppedClock(pub(crate) SystemTime);

impl StoppedClock {
    pub(crate) fn in_days(days: u32) -> Arc<Self> {
        Arc::new(Self(SystemTime::now() + DAY * days))
    }
}

impl TimeProvider for StoppedClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Some(UnixTime::since_unix_epoch(since))
    }
}

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<Roots>,
    pem: String,
}

impl Authority {
    /// The mesh's own, or, made a second time, an impostor by its name.
    pub(crate) fn new() -> Arc<Self> {
        Self::named("mesh")
    }

    pub(crate) fn foreign() -> Arc<Self> {
        Self::named("foreign")
    }

    fn named(name: &str) -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let roots = [certificate.der().clone()];
        Arc::new(Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            roots: Arc::new(Roots::new(trust_domain(), &roots, Arc::new(DomainPath)).unwrap()),
        })
    }

    /// What a correct certificate holds, for a test to spoil.
    pub(crate) fn params(names: Vec<SanType>) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + DAY).into();
        params
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], key.into())
    }

    /// A chain and its key as PEM texts.
    pub(crate) fn issue_pem(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn certified(&self, params: &CertificateParams) -> CertifiedKey {
        let (chain, key) = self.issue(params);
        CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap()
    }

    /// A source that holds one workload, with a certificate of its own making.
    pub(crate) fn source(self: &Arc<Self>, workload: &str) -> Arc<dyn CertificateSource> {
        Arc::new(OneWorkload(Arc::new(self.identity(workload)), Arc::clone(&self.roots)))
    }

    pub(crate) fn identity(&self, workload: &str) -> Identity {
        let (chain, key) = self.issue(&Self::params(vec![spiffe(workload)]));
        Identity::new(chain, key, &self.roots, UnixTime::now()).unwrap()
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }
}

#[derive(Debug)]
struct OneWorkload(Arc<Identity>, Arc<Roots>);

impl CertificateSource for OneWorkload {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        if self.0.workload() == workload {
            Ok(Arc::clone(&self.0))
        } else {
            Err(IdentityError::UnknownWorkload(workload.clone()))
        }
    }

    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.1)
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        Some(self.0.not_after())
    }
}
