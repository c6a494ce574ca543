//! Where the certificates of a process come from, as the configuration says.

use std::sync::Arc;

use weft_config::{CertificatesFrom, Config};
use weft_workload_identity::{
    CertificateSource, ConsulConnect, ConsulSettings, DefaultTimeProvider, DevelopmentCa, DomainPath, FileSource, IdentityError,
    WorkloadName,
};

use crate::StartError;

/// The source of these workloads' certificates.
pub(super) async fn open(
    config: &Config,
    agent: Option<&ConsulSettings>,
    workloads: &[WorkloadName],
) -> Result<Arc<dyn CertificateSource>, StartError> {
    let trust_domain = || config.mesh.trust_domain.parse().map_err(IdentityError::from);
    let (folder, clock) = (config.certificates(), Arc::new(DefaultTimeProvider));
    Ok(match config.mesh.certificates_from {
        CertificatesFrom::Development => Arc::new(DevelopmentCa::open(&folder, trust_domain()?)?),
        CertificatesFrom::Files => {
            Arc::new(FileSource::watch(&folder, trust_domain()?, Arc::new(DomainPath), clock, FileSource::PERIOD)?)
        }
        CertificatesFrom::Consul => {
            let agent = agent.ok_or(StartError::CertificatesFromNowhere)?;
            Arc::new(ConsulConnect::open(agent, workloads, clock).await?)
        }
    })
}
