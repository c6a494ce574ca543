//! The certificates that were put on this machine.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use weft_config::{CertificatesFrom, Config};
use weft_mesh::Domain;
use weft_workload_identity::{CertificateSource, DefaultTimeProvider, DomainPath, FileSource, IdentityError};

use super::finding::Findings;
use crate::failure::sentence;

/// A certificate that ends earlier than this should have been renewed.
const SOON: Duration = Duration::from_hours(8);

pub(super) fn look(config: &Config, domains: &[Domain], findings: &mut Findings) {
    let folder = config.certificates();
    match config.mesh.certificates_from {
        // Made when first needed, and Consul's are looked at where Consul is.
        CertificatesFrom::Development => {
            findings.good("certificates", format!("an authority of this machine alone issues them in {}", folder.display()));
        }
        CertificatesFrom::Consul => {}
        CertificatesFrom::Files => match open(config) {
            Ok(source) => domains.iter().for_each(|domain| look_at_one(&source, domain.name(), findings)),
            Err(error) => {
                let remedy = "let whoever issues certificates put them into the folder that mesh.certificates names";
                findings.bad("certificates", sentence(&error), remedy);
            }
        },
    }
}

fn open(config: &Config) -> Result<FileSource, IdentityError> {
    let trust_domain = config.mesh.trust_domain.parse()?;
    let clock = Arc::new(DefaultTimeProvider);
    FileSource::watch(&config.certificates(), trust_domain, Arc::new(DomainPath), clock, FileSource::PERIOD)
}

fn look_at_one(source: &FileSource, domain: &'static str, findings: &mut Findings) {
    let what = format!("certificate of {domain}");
    let Ok(workload) = domain.parse() else { return };
    let left = match source.identity(&workload) {
        Ok(identity) => identity.not_after().duration_since(SystemTime::now()),
        // A process needs those of its own domains only.
        Err(error) => return findings.warning(what, sentence(&error), "needed only where this domain runs"),
    };
    match left {
        Ok(left) if left > SOON => findings.good(what, format!("valid for {} more hours", left.as_secs() / 3600)),
        Ok(left) => {
            let found = format!("ends in {} minutes", left.as_secs() / 60);
            findings.warning(what, found, "see whether whoever renews it still runs");
        }
        Err(_) => findings.bad(what, "it is over", "see whether whoever renews it still runs"),
    }
}
