//! Mounted certificates, replaced as the kubelet replaces a secret: a new folder, and one rename.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::error::ProofError;

/// What the development CA of weft has as well: the configuration's default.
const TRUST_DOMAIN: &str = "weft.local";
/// Clocks of two processes may differ by less than this.
const BACKDATED: Duration = Duration::from_mins(1);

/// A certificate authority of the proof.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) pem: String,
}

/// What is mounted for every workload.
pub(crate) struct Mounted {
    folder: PathBuf,
    mounts: usize,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self, ProofError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = (SystemTime::now() - BACKDATED).into();
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A leaf of this workload with its key, as PEM texts.
    fn issue(&self, workload: &str, life: Duration) -> Result<(String, String), ProofError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{TRUST_DOMAIN}/domain/{workload}").try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = (SystemTime::now() - BACKDATED).into();
        params.not_after = (SystemTime::now() + life).into();
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

impl Mounted {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, mounts: 0 }
    }

    /// Where a process of this workload finds its certificates.
    pub(crate) fn of(&self, workload: &str) -> PathBuf {
        self.folder.join(workload)
    }

    /// Gives every workload a new leaf of `issuer` that is valid for `life`, and these roots to trust.
    pub(crate) fn mount(
        &mut self,
        workloads: &[&str],
        issuer: &Authority,
        life: Duration,
        roots: &[&Authority],
    ) -> Result<(), ProofError> {
        self.mounts += 1;
        let roots: String = roots.iter().map(|root| root.pem.as_str()).collect();
        for workload in workloads {
            let (chain, key) = issuer.issue(workload, life)?;
            let folder = self.of(workload).join(workload);
            let version = format!("..{}", self.mounts);
            fs::create_dir_all(folder.join(&version))?;
            for (name, text) in [("tls.crt", &chain), ("tls.key", &key), ("ca.crt", &roots)] {
                write_private(&folder.join(&version).join(name), text)?;
            }
            symlink(&version, folder.join("..next"))?;
            fs::rename(folder.join("..next"), folder.join("..data"))?;
        }
        Ok(())
    }
}

fn write_private(file: &Path, text: &str) -> Result<(), ProofError> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    Ok(file.write_all(text.as_bytes())?)
}
