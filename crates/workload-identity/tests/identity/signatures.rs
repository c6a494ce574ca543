//! Whose word a message is.

use std::time::SystemTime;

use weft_workload_identity::{Identity, PeerError, PeerIdentity, Signature, sign, verify};

use crate::authority::{Authority, DAY, name};

const CONTEXT: &str = "test message";
const MESSAGE: &[u8] = b"the edge says so";

fn check(
    ca: &Authority,
    signer: &Identity,
    context: &str,
    message: &[u8],
    signature: &Signature,
) -> Result<PeerIdentity, PeerError> {
    let trusted = [name("edge"), name("auth")];
    verify(ca.roots(), signer.chain(), &trusted, context, message, signature, SystemTime::now())
}

#[test]
fn a_trusted_workloads_word_is_taken() {
    let ca = Authority::new();
    let edge = ca.identity("edge");
    let signature = sign(&edge, CONTEXT, MESSAGE).unwrap();
    let signer = check(&ca, &edge, CONTEXT, MESSAGE, &signature).unwrap();
    assert_eq!(signer.workload, name("edge"));
}

#[test]
fn an_altered_message_context_or_signature_is_refused() {
    let ca = Authority::new();
    let edge = ca.identity("edge");
    let signature = sign(&edge, CONTEXT, MESSAGE).unwrap();
    let altered = check(&ca, &edge, CONTEXT, b"the edge says no", &signature);
    assert_eq!(altered, Err(PeerError::Signature));
    let altered = check(&ca, &edge, "another message", MESSAGE, &signature);
    assert_eq!(altered, Err(PeerError::Signature));
    // The border between context and message may not move either.
    let moved = check(&ca, &edge, "test messagethe ", b"edge says so", &signature);
    assert_eq!(moved, Err(PeerError::Signature));
    for byte in 0..signature.bytes.len() {
        let mut forged = signature.clone();
        forged.bytes[byte] ^= 1;
        assert_eq!(check(&ca, &edge, CONTEXT, MESSAGE, &forged), Err(PeerError::Signature));
    }
}

#[test]
fn a_signature_under_anothers_certificate_is_refused() {
    let ca = Authority::new();
    let (edge, other) = (ca.identity("edge"), ca.identity("edge"));
    let signature = sign(&other, CONTEXT, MESSAGE).unwrap();
    assert_eq!(check(&ca, &edge, CONTEXT, MESSAGE, &signature), Err(PeerError::Signature));
}

#[test]
fn a_workload_that_is_not_trusted_for_it_is_refused() {
    let ca = Authority::new();
    let orders = ca.identity("orders");
    let signature = sign(&orders, CONTEXT, MESSAGE).unwrap();
    let expected = PeerError::OtherWorkload { expected: "edge, auth".to_owned(), found: name("orders") };
    assert_eq!(check(&ca, &orders, CONTEXT, MESSAGE, &signature), Err(expected));
}

#[test]
fn a_foreign_authoritys_edge_is_refused() {
    let ca = Authority::new();
    let impostor = Authority::new();
    for (other, error) in
        [(Authority::foreign(), webpki::Error::UnknownIssuer), (impostor, webpki::Error::InvalidSignatureForPublicKey)]
    {
        let edge = other.identity("edge");
        let signature = sign(&edge, CONTEXT, MESSAGE).unwrap();
        let refused = check(&ca, &edge, CONTEXT, MESSAGE, &signature);
        assert_eq!(refused, Err(PeerError::Chain(error)));
    }
}

#[test]
fn an_expired_signer_is_refused() {
    let ca = Authority::new();
    let edge = ca.identity("edge");
    let signature = sign(&edge, CONTEXT, MESSAGE).unwrap();
    for (at, expired) in [(SystemTime::now(), false), (SystemTime::now() + DAY * 2, true)] {
        let verified = verify(ca.roots(), edge.chain(), &[name("edge")], CONTEXT, MESSAGE, &signature, at);
        let refused = matches!(verified, Err(PeerError::Chain(webpki::Error::CertExpired { .. })));
        assert_eq!(refused, expired, "{verified:?}");
    }
}

#[test]
fn a_signature_of_another_scheme_is_refused() {
    let ca = Authority::new();
    let edge = ca.identity("edge");
    let mut signature = sign(&edge, CONTEXT, MESSAGE).unwrap();
    // rsa_pkcs1_sha256, ecdsa_secp384r1_sha384, and none: the first is known and not accepted, the second not the key's.
    for (scheme, error) in [
        (0x0401, PeerError::SignatureScheme(0x0401)),
        (0x0503, PeerError::Signature),
        (0x0000, PeerError::SignatureScheme(0x0000)),
    ] {
        signature.scheme = scheme;
        assert_eq!(check(&ca, &edge, CONTEXT, MESSAGE, &signature), Err(error));
    }
}

#[test]
fn a_message_without_a_chain_is_refused() {
    let ca = Authority::new();
    let signature = sign(&ca.identity("edge"), CONTEXT, MESSAGE).unwrap();
    let refused = verify(ca.roots(), &[], &[name("edge")], CONTEXT, MESSAGE, &signature, SystemTime::now());
    assert_eq!(refused, Err(PeerError::NoCertificate));
}

#[test]
fn a_key_is_not_shown_by_debug() {
    let shown = format!("{:?}", Authority::new().identity("edge"));
    assert!(shown.starts_with("Identity { spiffe_id: \"spiffe://weft.local/domain/edge\", not_after:"), "{shown}");
    assert!(shown.ends_with(", .. }"), "{shown}");
}
