//! TLS 1.3 with a certificate on both sides, and nothing else.
//!
//! The verifiers stand on path validation directly (`webpki::EndEntityCert`), not on rustls' web verifier: that one
//! insists on DNS names, and a verifier that forgives its name errors is one mistake away from forgiving everything.
//!
//! Sessions are not resumed. A resumed session skips the certificates, so it would outlive an expired certificate or a
//! removed root; connections between domains are few and long, and the full handshake costs little.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::error::IdentityError;
use crate::names::WorkloadName;
use crate::peer::{self, PeerError, Usage};
use crate::source::CertificateSource;

/// gRPC is HTTP/2 (RFC 9113, section 3.2).
const ALPN_HTTP2: &[u8] = b"h2";
static VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13];

/// How a workload accepts connections: it shows its own certificate and admits any workload of the mesh.
///
/// Which peers may call which method is decided above, by the name that [`peer_identity`](crate::peer_identity) gives.
///
/// Fails when the source has no certificate for the workload.
pub fn server_config(source: Arc<dyn CertificateSource>, workload: &WorkloadName) -> Result<Arc<ServerConfig>, IdentityError> {
    source.identity(workload)?;
    let verifier = ClientVerifier { source: Arc::clone(&source) };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(IdentityError::Tls)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(OwnCertificate::new(source, workload)));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// How a workload opens connections to one other workload: it shows its own certificate and accepts only that peer,
/// whatever address or host name it was reached by.
///
/// Fails when the source has no certificate for `workload`.
pub fn client_config(
    source: Arc<dyn CertificateSource>,
    workload: &WorkloadName,
    peer: &WorkloadName,
) -> Result<Arc<ClientConfig>, IdentityError> {
    source.identity(workload)?;
    let verifier = ServerVerifier { source: Arc::clone(&source), expected: peer.clone() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(IdentityError::Tls)?
        // rustls calls every verifier but its own dangerous; this one is stricter: see the module's head.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(OwnCertificate::new(source, workload)));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Looks the workload's certificate up anew for each handshake.
#[derive(Debug)]
struct OwnCertificate {
    source: Arc<dyn CertificateSource>,
    workload: WorkloadName,
}

/// Admits any workload of the mesh.
#[derive(Debug)]
struct ClientVerifier {
    source: Arc<dyn CertificateSource>,
}

/// Admits one workload of the mesh.
#[derive(Debug)]
struct ServerVerifier {
    source: Arc<dyn CertificateSource>,
    expected: WorkloadName,
}

// === impl OwnCertificate ===

impl OwnCertificate {
    fn new(source: Arc<dyn CertificateSource>, workload: &WorkloadName) -> Self {
        Self { source, workload: workload.clone() }
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        match self.source.identity(&self.workload) {
            Ok(identity) => Some(identity.certified()),
            Err(error) => {
                tracing::error!(workload = %self.workload, %error, "no certificate for the handshake");
                None
            }
        }
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.current()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

// === impl ClientVerifier ===

impl ClientCertVerifier for ClientVerifier {
    /// Hints would freeze the roots that held when the configuration was built.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let roots = self.source.roots();
        peer::verify_chain(&roots, end_entity, intermediates, Usage::Client, now).map_err(tls_error)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12_refused())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &peer::signature_algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        peer::signature_algorithms().supported_schemes()
    }
}

// === impl ServerVerifier ===

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.source.roots();
        let leaf = peer::verify_chain(&roots, end_entity, intermediates, Usage::Server, now).map_err(tls_error)?;
        if leaf.peer.workload != self.expected {
            return Err(tls_error(PeerError::OtherWorkload { expected: self.expected.to_string(), found: leaf.peer.workload }));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12_refused())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &peer::signature_algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        peer::signature_algorithms().supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn tls12_refused() -> Error {
    PeerIncompatible::Tls12NotOffered.into()
}

/// The peer learns the kind of fault by the alert, the log learns all of it.
fn tls_error(error: PeerError) -> Error {
    let fault = match &error {
        PeerError::Chain(webpki::Error::UnknownIssuer) => CertificateError::UnknownIssuer,
        PeerError::Chain(webpki::Error::InvalidSignatureForPublicKey) => CertificateError::BadSignature,
        PeerError::Chain(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
        PeerError::Chain(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        PeerError::Malformed | PeerError::Chain(webpki::Error::BadDer) => CertificateError::BadEncoding,
        _ => CertificateError::Other(OtherError(Arc::new(error))),
    };
    fault.into()
}
