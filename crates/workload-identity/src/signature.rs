//! What a workload says to others, signed with the key of its certificate.
//!
//! Problem: the receiver must know which workload said it, without asking anyone and without a second kind of key.
//!
//! Rule: the signer sends its certificate chain along; the receiver verifies the chain as it would at a handshake, then
//! the signature. Every signature is bound to a context, the name of what is being said, so that a message of one kind
//! is never taken for another, and no signature over a message passes for one over a handshake: those begin with 64
//! spaces (RFC 8446, section 4.4.3), ours with [`PREFIX`].

use std::time::SystemTime;

use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;

use crate::error::IdentityError;
use crate::identity::Identity;
use crate::names::WorkloadName;
use crate::peer::{self, PeerError, PeerIdentity, Usage};
use crate::roots::Roots;

const PREFIX: &[u8] = b"weft workload signature v1\0";

/// The accepted schemes, the preferred first: those of TLS 1.3, where a scheme also fixes the curve.
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
];

/// A signature and how it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The scheme's number in TLS (RFC 8446, section 4.2.3).
    pub scheme: u16,
    /// The signature itself.
    pub bytes: Vec<u8>,
}

/// Signs a message as the workload.
///
/// `context` says what kind of message it is; the verifier names the same.
pub fn sign(identity: &Identity, context: &str, message: &[u8]) -> Result<Signature, IdentityError> {
    let signer = identity.certified().key.choose_scheme(&SCHEMES).ok_or(IdentityError::NoSignatureScheme)?;
    let bytes = signer.sign(&signed_text(context, message)).map_err(IdentityError::Sign)?;
    Ok(Signature { scheme: signer.scheme().into(), bytes })
}

/// Verifies that one of the `trusted` workloads signed a message, and says which.
///
/// `chain` is the signer's, its own certificate first. Fails when the chain is not valid at `now`, belongs to a workload
/// that is not trusted for this, or when the signature is not its key's over this context and message.
pub fn verify(
    roots: &Roots,
    chain: &[CertificateDer<'_>],
    trusted: &[WorkloadName],
    context: &str,
    message: &[u8],
    signature: &Signature,
    now: SystemTime,
) -> Result<PeerIdentity, PeerError> {
    let (end_entity, intermediates) = chain.split_first().ok_or(PeerError::NoCertificate)?;
    let now = peer::unix_time(now);
    let leaf = peer::verify_chain(roots, end_entity, intermediates, Usage::Client, now)?;
    if !trusted.contains(&leaf.peer.workload) {
        return Err(PeerError::OtherWorkload {
            expected: trusted.iter().map(WorkloadName::as_str).collect::<Vec<_>>().join(", "),
            found: leaf.peer.workload,
        });
    }
    let scheme = SignatureScheme::from(signature.scheme);
    let algorithm = SCHEMES
        .contains(&scheme)
        .then(|| peer::signature_algorithms().mapping.iter().find(|(known, _)| *known == scheme))
        .flatten()
        // TLS 1.3 ties each scheme to one algorithm; rustls lists that one first.
        .and_then(|(_, algorithms)| algorithms.first())
        .ok_or(PeerError::SignatureScheme(signature.scheme))?;
    webpki::EndEntityCert::try_from(end_entity)
        .map_err(PeerError::Chain)?
        .verify_signature(*algorithm, &signed_text(context, message), &signature.bytes)
        .map_err(|_| PeerError::Signature)?;
    Ok(leaf.peer)
}

/// Prefix, length of the context, context, message: no two pairs of context and message give the same text.
fn signed_text(context: &str, message: &[u8]) -> Vec<u8> {
    let length = (context.len() as u64).to_be_bytes();
    [PREFIX, &length, context.as_bytes(), message].concat()
}
