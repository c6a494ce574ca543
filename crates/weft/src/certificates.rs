//! Certificates for an installation that has nobody else to issue them.
//!
//! # Problem
//!
//! On Kubernetes every domain runs under an identity of its own, and a bare cluster has neither cert-manager nor SPIRE. The
//! pods must not hold the authority's key, and what they present must be renewed while they run.
//!
//! # Rule
//!
//! One short-lived command does it all, at installation and then daily: it reads the authority from a Secret, or makes it
//! there; it renews each certificate whose life is half over, in a Secret for each domain. Pods mount theirs and watch it.
//! The authority is the same as on a laptop ([`DevelopmentCa`]); only where it is kept differs.
//!
//! # Recovery
//!
//! Run it again: what is good stays. Two runs at once agree on one authority, for a Secret is made only once.

mod secrets;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use weft_access::EDGE;
use weft_config::Config;
use weft_mesh::Domain;
use weft_workload_identity::{CertificateSource as _, DevelopmentCa, IdentityError, TrustDomain, WorkloadName};

use crate::failure::Failure;

pub(crate) use secrets::SecretsError;
use secrets::{Files, Secrets};

/// What the authority consists of, in its folder and in its Secret.
const AUTHORITY: [&str; 2] = ["ca.crt", "ca.key"];
/// What a certificate consists of, in its folder.
const CERTIFICATE: [&str; 2] = ["tls.crt", "tls.key"];
/// The roots' certificates, in every Secret.
const ROOTS: &str = "ca.crt";

/// Why certificates could not be issued or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificatesError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("{name:?} cannot be the name of a workload")]
    Name { name: String },
    #[error("{path} cannot be used")]
    File { path: PathBuf, source: io::Error },
}

/// Issues what is missing or half over, into the Secrets whose names begin with `prefix`, and tells which.
pub(crate) async fn renew(config: &Config, domains: &[Domain], prefix: &str, out: &mut impl Write) -> Result<(), Failure> {
    let secrets = Secrets::of_this_pod().map_err(CertificatesError::from)?;
    let temporary = TempDir::new_in(&config.data_dir).map_err(at(&config.data_dir))?;
    // A folder of its own: one for temporary files is open to others where the umask says so.
    let folder = temporary.path().join("authority");
    let authority = authority(config, &secrets, prefix, &folder).await?;
    for name in workloads(domains) {
        let secret = secret_of(prefix, name);
        let kept = secrets.get(&secret).await.map_err(CertificatesError::from)?;
        let fresh = renewed(&authority, &folder, name, kept.as_ref())?;
        if kept.as_ref() == Some(&fresh) {
            continue;
        }
        secrets.put(&secret, &fresh).await.map_err(CertificatesError::from)?;
        writeln!(out, "issued a certificate for {name}, in the Secret {secret}").map_err(Failure::Output)?;
    }
    Ok(())
}

/// Deletes the Secrets that [`renew`] made. The authority's stays: whoever installs anew goes on with it.
pub(crate) async fn remove(domains: &[Domain], prefix: &str, out: &mut impl Write) -> Result<(), Failure> {
    let secrets = Secrets::of_this_pod().map_err(CertificatesError::from)?;
    for name in workloads(domains) {
        let secret = secret_of(prefix, name);
        if secrets.delete(&secret).await.map_err(CertificatesError::from)? {
            writeln!(out, "deleted the Secret {secret}").map_err(Failure::Output)?;
        }
    }
    Ok(())
}

/// Everyone who presents a certificate: each domain of the binary, and the edge.
fn workloads(domains: &[Domain]) -> impl Iterator<Item = &'static str> {
    domains.iter().map(Domain::name).chain([EDGE])
}

fn secret_of(prefix: &str, workload: &str) -> String {
    format!("{prefix}-{workload}-certificate")
}

/// The authority that the Secret keeps; the first run makes it.
async fn authority(config: &Config, secrets: &Secrets, prefix: &str, folder: &Path) -> Result<DevelopmentCa, CertificatesError> {
    let secret = format!("{prefix}-authority");
    let trust_domain: TrustDomain =
        config.mesh.trust_domain.parse().map_err(|_| CertificatesError::Name { name: config.mesh.trust_domain.clone() })?;
    if let Some(kept) = secrets.get(&secret).await? {
        write(folder, &kept, &AUTHORITY)?;
        return Ok(DevelopmentCa::open(folder, trust_domain)?);
    }
    DevelopmentCa::open(folder, trust_domain.clone())?;
    // Another run may have been first: then its authority is the one.
    let kept = secrets.create_once(&secret, &read(folder, &AUTHORITY)?).await?;
    write(folder, &kept, &AUTHORITY)?;
    Ok(DevelopmentCa::open(folder, trust_domain)?)
}

/// What a workload's Secret should hold: what it held if that is still good.
fn renewed(authority: &DevelopmentCa, folder: &Path, name: &str, kept: Option<&Files>) -> Result<Files, CertificatesError> {
    let workload: WorkloadName = name.parse().map_err(|_| CertificatesError::Name { name: name.to_owned() })?;
    let own = folder.join(name);
    if let Some(kept) = kept {
        write(&own, kept, &CERTIFICATE)?;
    }
    authority.identity(&workload)?;
    let mut files = read(&own, &CERTIFICATE)?;
    files.extend(read(folder, &[ROOTS])?);
    Ok(files)
}

fn read(folder: &Path, names: &[&str]) -> Result<Files, CertificatesError> {
    names
        .iter()
        .map(|name| {
            let path = folder.join(name);
            Ok(((*name).to_owned(), fs::read(&path).map_err(at(&path))?))
        })
        .collect()
}

/// Writes those of the files that are there; nobody else may read them.
fn write(folder: &Path, files: &Files, names: &[&str]) -> Result<(), CertificatesError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    for name in names {
        let Some(content) = files.get(*name) else { continue };
        let path = folder.join(name);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(content)).map_err(at(&path))?;
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> CertificatesError {
    let path = path.to_owned();
    move |source| CertificatesError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn authority(folder: &Path) -> DevelopmentCa {
        DevelopmentCa::open(folder, "weft.test".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_is_good_stays_and_what_is_not_is_issued_anew() {
        let temporary = TempDir::new().unwrap();
        let [one, two, three] = ["one", "two", "three"].map(|name| temporary.path().join(name));
        let first = renewed(&authority(&one), &one, "orders", None).unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["ca.crt", "tls.crt", "tls.key"]);

        // The next run starts from what the Secrets hold.
        write(&two, &read(&one, &AUTHORITY).unwrap(), &AUTHORITY).unwrap();
        let second = renewed(&authority(&two), &two, "orders", Some(&first)).unwrap();
        assert!(second == first);

        // A certificate of another authority is no certificate.
        let third = renewed(&authority(&three), &three, "orders", Some(&first)).unwrap();
        assert!(third["tls.crt"] != first["tls.crt"] && third["ca.crt"] != first["ca.crt"]);
    }
}
