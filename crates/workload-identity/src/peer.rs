//! Who the other side is.
//!
//! Rule: sections 4 and 5 of the [X.509-SVID specification], on top of path validation (RFC 5280). The certificate chains
//! to a root, is in its time, may be used in its role (client or server), is no authority, carries exactly one URI name,
//! and that name is an id of our trust domain which the source's name map knows. Every other name in it is ignored.
//!
//! [X.509-SVID specification]: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md

use std::time::{Duration, SystemTime};

use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use crate::names::WorkloadName;
use crate::roots::Roots;
use crate::source::CertificateSource;
use crate::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};

/// Who a verified certificate belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The id in the certificate.
    pub spiffe_id: SpiffeId,
    /// The logical name that the source gives to that id.
    pub workload: WorkloadName,
}

/// Why a peer, or something it signed, is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// There is no certificate.
    #[error("no certificate was presented")]
    NoCertificate,
    /// The certificate does not chain to a root, is out of its time, or may not be used in this role.
    #[error("the certificate is not trusted: {0}")]
    Chain(webpki::Error),
    /// The certificate cannot be parsed, or an extension occurs twice.
    #[error("the certificate is malformed")]
    Malformed,
    /// The certificate may sign others: an authority is no workload (X.509-SVID, sections 4.1 and 5.2).
    #[error("the certificate is an authority's, not a workload's")]
    Authority,
    /// The certificate may not sign handshakes (X.509-SVID, section 4.3).
    #[error("the certificate's key usage lacks digitalSignature")]
    KeyUsage,
    /// The certificate has no URI name, or more than one (X.509-SVID, section 2).
    #[error("the certificate has {0} URI names, not one")]
    UriNames(usize),
    /// The URI name is no SPIFFE id.
    #[error("the certificate's URI name is no SPIFFE id: {0}")]
    SpiffeId(#[from] SpiffeIdError),
    /// The id belongs to another trust domain.
    #[error("the id is of the trust domain {found}, not {expected}")]
    TrustDomain {
        /// Ours.
        expected: TrustDomain,
        /// The peer's.
        found: TrustDomain,
    },
    /// The id is none that our certificate source issues to workloads.
    #[error("{0} names no workload")]
    NoWorkload(SpiffeId),
    /// The peer is a workload of the mesh, but not the one that was expected.
    #[error("the peer is {found}, not {expected}")]
    OtherWorkload {
        /// The expected logical names, joined by commas.
        expected: String,
        /// The peer's logical name.
        found: WorkloadName,
    },
    /// The signature is of no accepted scheme.
    #[error("the signature scheme {0:#06x} is not accepted")]
    SignatureScheme(u16),
    /// The signature is not the certificate's key's over that message.
    #[error("the signature is wrong")]
    Signature,
}

/// Which end of a connection a certificate stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Usage {
    Client,
    Server,
}

/// What a verified certificate says.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) peer: PeerIdentity,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// Who sent the certificates of a finished handshake, by the names of the source that the handshake was verified with.
///
/// The chain is *not* verified again: call it only with the certificates that a connection built from
/// [`server_config`](crate::server_config) or [`client_config`](crate::client_config) reports.
pub fn peer_identity(source: &dyn CertificateSource, certificates: &[CertificateDer<'_>]) -> Result<PeerIdentity, PeerError> {
    let end_entity = certificates.first().ok_or(PeerError::NoCertificate)?;
    Ok(read_leaf(&source.roots(), end_entity)?.peer)
}

/// Verifies a chain and says whose it is.
pub(crate) fn verify_chain(
    roots: &Roots,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    usage: Usage,
    now: UnixTime,
) -> Result<Leaf, PeerError> {
    let usage = match usage {
        Usage::Client => KeyUsage::client_auth(),
        Usage::Server => KeyUsage::server_auth(),
    };
    EndEntityCert::try_from(end_entity)
        .and_then(|certificate| {
            certificate
                .verify_for_usage(signature_algorithms().all, roots.anchors(), intermediates, now, usage, None, None)
                .map(drop)
        })
        .map_err(PeerError::Chain)?;
    read_leaf(roots, end_entity)
}

/// The signatures we accept, in certificates, handshakes and messages.
pub(crate) fn signature_algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// Reads what an X.509-SVID must say about itself. Trust in the certificate is the caller's matter.
fn read_leaf(roots: &Roots, certificate: &CertificateDer<'_>) -> Result<Leaf, PeerError> {
    let (rest, certificate) = parse_x509_certificate(certificate).map_err(|_| PeerError::Malformed)?;
    if !rest.is_empty() {
        return Err(PeerError::Malformed);
    }
    check_leaf(&certificate)?;
    let spiffe_id: SpiffeId = uri_name(&certificate)?.parse()?;
    if spiffe_id.trust_domain() != roots.trust_domain() {
        return Err(PeerError::TrustDomain { expected: roots.trust_domain().clone(), found: spiffe_id.trust_domain().clone() });
    }
    let workload = roots.names().workload(&spiffe_id).ok_or_else(|| PeerError::NoWorkload(spiffe_id.clone()))?;
    Ok(Leaf {
        peer: PeerIdentity { spiffe_id, workload },
        not_before: system_time(certificate.validity().not_before)?,
        not_after: system_time(certificate.validity().not_after)?,
    })
}

/// Refuses authorities and keys that may not sign a handshake.
fn check_leaf(certificate: &X509Certificate<'_>) -> Result<(), PeerError> {
    let constraints = certificate.basic_constraints().map_err(|_| PeerError::Malformed)?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(PeerError::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| PeerError::Malformed)?.ok_or(PeerError::KeyUsage)?.value;
    if usage.key_cert_sign() || usage.crl_sign() {
        return Err(PeerError::Authority);
    }
    if !usage.digital_signature() {
        return Err(PeerError::KeyUsage);
    }
    Ok(())
}

/// The only URI among the subject alternative names.
fn uri_name<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, PeerError> {
    let names = certificate.subject_alternative_name().map_err(|_| PeerError::Malformed)?.ok_or(PeerError::UriNames(0))?;
    let names = &names.value.general_names;
    // A name that the parser gave up on could be a second URI.
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(PeerError::Malformed);
    }
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.count()) {
        (Some(uri), 0) => Ok(uri),
        (first, more) => Err(PeerError::UriNames(usize::from(first.is_some()) + more)),
    }
}

fn system_time(time: ASN1Time) -> Result<SystemTime, PeerError> {
    let seconds = u64::try_from(time.timestamp()).map_err(|_| PeerError::Malformed)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(PeerError::Malformed)
}

/// A time before 1970 counts as 1970, when no certificate was valid.
pub(crate) fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
