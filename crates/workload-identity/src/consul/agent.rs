//! What the agent is asked, and how its answers are read.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use weft_consul::{Client, ConsulError};

use super::{ConsulService, WAIT};
use crate::error::IdentityError;
use crate::identity::Identity;
use crate::names::WorkloadName;
use crate::roots::Roots;

/// An answer, and the state of the agent's knowledge that it stands for.
pub(super) struct Known<T> {
    pub(super) index: u64,
    pub(super) value: T,
}

/// The answer of `GET /v1/agent/connect/ca/leaf/<service>`.
#[derive(Debug, Deserialize)]
pub(super) struct Leaf {
    /// The certificate, and those that lead to a root which others may still trust alone.
    #[serde(rename = "CertPEM")]
    chain: String,
    #[serde(rename = "PrivateKeyPEM")]
    key: SecretString,
}

/// The answer of `GET /v1/agent/connect/ca/roots`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootList {
    trust_domain: String,
    roots: Option<Vec<Root>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    root_cert: String,
}

/// The roots, by a blocking query if the index is above 0.
pub(super) async fn roots(client: &Client, index: u64) -> Result<Known<Roots>, IdentityError> {
    let answer = client.get(&["v1", "agent", "connect", "ca", "roots"], None, index, WAIT).await?;
    let list: RootList = serde_json::from_slice(&answer.body).map_err(ConsulError::Malformed)?;
    // While the cluster makes its authority, the trust domain is empty as well.
    let roots = list.roots.filter(|roots| !roots.is_empty()).ok_or(IdentityError::ConsulAuthority)?;
    let trust_domain = list.trust_domain.parse().map_err(IdentityError::ConsulTrustDomain)?;
    let mut certificates = Vec::new();
    for root in &roots {
        certificates.extend(parse_certificates("root certificate", &root.root_cert)?);
    }
    Ok(Known { index: answer.index, value: Roots::new(trust_domain, &certificates, Arc::new(ConsulService))? })
}

/// A workload's certificate, by a blocking query if the index is above 0.
pub(super) async fn leaf(
    client: &Client,
    workload: &WorkloadName,
    index: u64,
    wait: Duration,
) -> Result<Known<Leaf>, IdentityError> {
    let path = ["v1", "agent", "connect", "ca", "leaf", workload.as_str()];
    let answer = client.get(&path, None, index, wait).await?;
    let value = serde_json::from_slice(&answer.body).map_err(ConsulError::Malformed)?;
    Ok(Known { index: answer.index, value })
}

/// The index to ask with after an answer; Consul's "Blocking Queries", "Implementation Details": one that goes backwards is
/// of another history, which is asked for from its beginning, and none is 0, or the query would not block.
pub(super) fn next_index(asked_with: u64, answered: u64) -> u64 {
    if answered < asked_with { 0 } else { answered.max(1) }
}

impl Leaf {
    /// Fails when peers would refuse it, or when it is another workload's.
    pub(super) fn identity(&self, workload: &WorkloadName, roots: &Roots, now: UnixTime) -> Result<Identity, IdentityError> {
        let chain = parse_certificates("certificate", &self.chain)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret().as_bytes()).map_err(unusable("private key"))?;
        let identity = Identity::new(chain, key, roots, now)?;
        if identity.workload() != workload {
            return Err(IdentityError::OtherWorkload { wanted: workload.clone(), found: identity.workload().clone() });
        }
        Ok(identity)
    }
}

fn parse_certificates(what: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(unusable(what))
}

fn unusable(what: &'static str) -> impl FnOnce(pem::Error) -> IdentityError {
    move |source| IdentityError::ConsulPem { what, source }
}

#[cfg(test)]
mod tests {
    use super::next_index;

    #[test]
    fn an_index_that_goes_backwards_starts_over_and_none_is_zero() {
        assert_eq!([next_index(0, 7), next_index(7, 9), next_index(9, 3), next_index(0, 0)], [7, 9, 0, 1]);
    }
}
