//! Who gets through to whom.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, Error, HandshakeKind, InvalidMessage, ServerConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use weft_workload_identity::{
    CertificateSource, Identity, IdentityError, PeerError, Roots, WorkloadName, client_config, peer_identity, server_config,
};

use crate::authority::{Authority, StoppedClock, name, spiffe, uri};
use crate::handshake::{Refusal, talk};

/// A certificate to show, whatever it is worth.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

fn orders_server(ca: &Arc<Authority>) -> Arc<ServerConfig> {
    server_config(ca.source("orders"), &name("orders")).unwrap()
}

fn edge_to_orders(ca: &Arc<Authority>) -> Arc<ClientConfig> {
    client_config(ca.source("edge"), &name("edge"), &name("orders")).unwrap()
}

/// The edge's client, showing another certificate.
fn client_showing(ca: &Arc<Authority>, certificate: Option<CertifiedKey>) -> Arc<ClientConfig> {
    let mut config = (*edge_to_orders(ca)).clone();
    config.client_auth_cert_resolver = Arc::new(Shown(certificate.map(Arc::new)));
    Arc::new(config)
}

/// The orders server, showing another certificate.
fn server_showing(ca: &Arc<Authority>, certificate: CertifiedKey) -> Arc<ServerConfig> {
    let mut config = (*orders_server(ca)).clone();
    config.cert_resolver = Arc::new(Shown(Some(Arc::new(certificate))));
    Arc::new(config)
}

/// What the server says to a client with that certificate.
async fn refused_client(ca: &Arc<Authority>, certificate: CertifiedKey) -> Refusal {
    let (server, client) = talk(orders_server(ca), client_showing(ca, Some(certificate))).await;
    assert!(client.is_err(), "the client got an answer");
    server.unwrap_err()
}

/// What the client says to a server with that certificate.
async fn refused_server(ca: &Arc<Authority>, certificate: CertifiedKey) -> Refusal {
    let (server, client) = talk(server_showing(ca, certificate), edge_to_orders(ca)).await;
    assert!(server.is_err(), "the server got an answer");
    client.unwrap_err()
}

#[tokio::test]
async fn two_workloads_of_the_mesh_talk_and_know_each_other() {
    let ca = Authority::new();
    let (server, client) = talk(orders_server(&ca), edge_to_orders(&ca)).await;
    let (server, client) = (server.unwrap(), client.unwrap());
    assert_eq!(client.alpn.as_deref(), Some(b"h2".as_slice()));
    let source = ca.source("orders");
    let edge = peer_identity(source.as_ref(), &server.peer).unwrap();
    assert_eq!(edge.workload, name("edge"));
    assert_eq!(edge.spiffe_id.as_str(), "spiffe://weft.local/domain/edge");
    let orders = peer_identity(source.as_ref(), &client.peer).unwrap();
    assert_eq!(orders.workload, name("orders"));
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let ca = Authority::new();
    let (server, client) = talk(orders_server(&ca), client_showing(&ca, None)).await;
    assert!(matches!(server, Err(Refusal::Tls(Error::NoCertificatesPresented))), "{server:?}");
    assert!(client.is_err());
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority_is_refused_on_both_sides() {
    let ca = Authority::new();
    let impostor = Authority::new();
    for (other, error) in [(Authority::foreign(), CertificateError::UnknownIssuer), (impostor, CertificateError::BadSignature)] {
        let edge = other.certified(&Authority::params(vec![spiffe("edge")]));
        assert_eq!(*refused_client(&ca, edge).await.certificate(), error);
        let orders = other.certified(&Authority::params(vec![spiffe("orders")]));
        assert_eq!(*refused_server(&ca, orders).await.certificate(), error);
    }
}

#[tokio::test]
async fn a_server_that_is_another_workload_is_refused() {
    let ca = Authority::new();
    let payments = ca.certified(&Authority::params(vec![spiffe("payments")]));
    let refusal = refused_server(&ca, payments).await;
    let expected = PeerError::OtherWorkload { expected: "orders".to_owned(), found: name("payments") };
    assert_eq!(*refusal.peer(), expected);
}

#[tokio::test]
async fn an_id_of_another_trust_domain_is_refused_under_our_own_authority() {
    let ca = Authority::new();
    for id in ["spiffe://other.example/domain/edge", "spiffe://weft.local.other.example/domain/edge"] {
        let stranger = ca.certified(&Authority::params(vec![uri(id)]));
        let refusal = refused_client(&ca, stranger).await;
        assert!(matches!(refusal.peer(), PeerError::TrustDomain { .. }), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_name_one_workload_is_refused() {
    let ca = Authority::new();
    let dns = || SanType::DnsName("orders".try_into().unwrap());
    let cases = [
        (vec![], PeerError::UriNames(0)),
        (vec![dns()], PeerError::UriNames(0)),
        (vec![spiffe("edge"), spiffe("orders")], PeerError::UriNames(2)),
        (vec![spiffe("orders"), uri("https://example.com")], PeerError::UriNames(2)),
        (vec![uri("https://weft.local/domain/orders")], PeerError::SpiffeId(weft_workload_identity::SpiffeIdError::Scheme)),
        (vec![uri("spiffe://weft.local/orders")], PeerError::NoWorkload("spiffe://weft.local/orders".parse().unwrap())),
    ];
    for (names, error) in cases {
        let params = Authority::params(names);
        assert_eq!(*refused_client(&ca, ca.certified(&params)).await.peer(), error);
        assert_eq!(*refused_server(&ca, ca.certified(&params)).await.peer(), error);
    }
}

#[tokio::test]
async fn a_dns_name_beside_the_id_changes_nothing() {
    let ca = Authority::new();
    let dns = SanType::DnsName("elsewhere.example".try_into().unwrap());
    let edge = ca.certified(&Authority::params(vec![dns, spiffe("edge")]));
    let (server, client) = talk(orders_server(&ca), client_showing(&ca, Some(edge))).await;
    server.unwrap();
    client.unwrap();
}

#[tokio::test]
async fn an_authority_is_no_workload() {
    let ca = Authority::new();
    let mut params = Authority::params(vec![spiffe("edge")]);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    refused_client(&ca, ca.certified(&params)).await.certificate();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    let refusal = refused_client(&ca, ca.certified(&params)).await;
    assert_eq!(*refusal.peer(), PeerError::Authority);
}

#[tokio::test]
async fn a_key_that_is_not_for_handshakes_is_refused() {
    let ca = Authority::new();
    for usages in [vec![], vec![KeyUsagePurpose::KeyEncipherment]] {
        let mut params = Authority::params(vec![spiffe("edge")]);
        params.key_usages = usages;
        let refusal = refused_client(&ca, ca.certified(&params)).await;
        assert_eq!(*refusal.peer(), PeerError::KeyUsage);
    }
    let mut params = Authority::params(vec![spiffe("edge")]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    refused_client(&ca, ca.certified(&params)).await.certificate();
    let mut params = Authority::params(vec![spiffe("orders")]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    refused_server(&ca, ca.certified(&params)).await.certificate();
}

#[tokio::test]
async fn a_certificate_without_its_key_is_of_no_use() {
    let ca = Authority::new();
    let params = Authority::params(vec![spiffe("edge")]);
    let (chain, own) = (ca.certified(&params).cert, ca.certified(&params).key);
    let refusal = refused_client(&ca, CertifiedKey::new(chain, own)).await;
    assert_eq!(*refusal.certificate(), CertificateError::BadSignature);
    let params = Authority::params(vec![spiffe("orders")]);
    let (chain, own) = (ca.certified(&params).cert, ca.certified(&params).key);
    let refusal = refused_server(&ca, CertifiedKey::new(chain, own)).await;
    assert_eq!(*refusal.certificate(), CertificateError::BadSignature);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_on_both_sides() {
    let ca = Authority::new();
    let mut server = (*orders_server(&ca)).clone();
    server.time_provider = StoppedClock::in_days(2);
    let (refusal, client) = talk(Arc::new(server), edge_to_orders(&ca)).await;
    assert_eq!(*refusal.unwrap_err().certificate(), CertificateError::Expired);
    assert!(client.is_err());
    let mut client = (*edge_to_orders(&ca)).clone();
    client.time_provider = StoppedClock::in_days(2);
    let (server, refusal) = talk(orders_server(&ca), Arc::new(client)).await;
    assert_eq!(*refusal.unwrap_err().certificate(), CertificateError::Expired);
    assert!(server.is_err());
}

/// What a server answers to bytes that are no TLS 1.3, and what it says itself.
async fn answer_to(bytes: &[u8]) -> (Vec<u8>, Refusal) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    client.write_all(bytes).await.unwrap();
    let accepted = TlsAcceptor::from(orders_server(&Authority::new())).accept(stream).await;
    let refusal = accepted.map(drop).unwrap_err().into();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    (answer, refusal)
}

#[tokio::test]
async fn a_client_that_speaks_tls_1_2_at_most_is_refused() {
    // RFC 5246, section 7.4.1.2: version 3.3, random, no session, one cipher suite, no compression; then the extensions
    // supported_groups (P-256) and signature_algorithms (ECDSA with SHA-256), and no supported_versions.
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);

    let (answer, refusal) = answer_to(&record).await;
    // A fatal alert, protocol_version (RFC 8446, section 6).
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70], "{refusal:?}");
    assert!(matches!(refusal, Refusal::Tls(Error::PeerIncompatible(_))), "{refusal:?}");
}

#[tokio::test]
async fn plaintext_is_refused() {
    let (answer, refusal) = answer_to(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let expected = Error::InvalidMessage(InvalidMessage::InvalidContentType);
    assert!(matches!(&refusal, Refusal::Tls(error) if *error == expected), "{refusal:?}");
}

/// How the second connection between the two comes about.
async fn second_handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    talk(Arc::clone(server), Arc::clone(client)).await.0.unwrap();
    talk(Arc::clone(server), Arc::clone(client)).await.0.unwrap().kind
}

#[tokio::test]
async fn neither_side_resumes_a_session_even_if_the_other_would() {
    let ca = Authority::new();
    let (server, client) = (orders_server(&ca), edge_to_orders(&ca));
    let mut willing = (*server).clone();
    willing.session_storage = ServerSessionMemoryCache::new(8);
    willing.send_tls13_tickets = 2;
    let willing_server = Arc::new(willing);
    let mut willing = (*client).clone();
    willing.resumption = Resumption::in_memory_sessions(8);
    let willing_client = Arc::new(willing);

    let both = second_handshake(&willing_server, &willing_client).await;
    assert_eq!(both, Some(HandshakeKind::Resumed), "the test would not see a resumption");
    assert_eq!(second_handshake(&server, &willing_client).await, Some(HandshakeKind::Full));
    assert_eq!(second_handshake(&willing_server, &client).await, Some(HandshakeKind::Full));
}

/// A source whose content changes while configurations built from it are in use.
#[derive(Debug)]
struct Rotating(Mutex<Arc<dyn CertificateSource>>);

impl Rotating {
    fn current(&self) -> Arc<dyn CertificateSource> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

impl CertificateSource for Rotating {
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError> {
        self.current().identity(workload)
    }

    fn roots(&self) -> Arc<Roots> {
        self.current().roots()
    }

    fn next_expiry(&self) -> Option<SystemTime> {
        self.current().next_expiry()
    }
}

#[tokio::test]
async fn a_rotated_authority_is_in_use_with_the_next_handshake() {
    let (old, new) = (Authority::foreign(), Authority::new());
    let source = Arc::new(Rotating(Mutex::new(old.source("orders"))));
    let server = server_config(source.clone(), &name("orders")).unwrap();
    talk(Arc::clone(&server), edge_to_orders(&old)).await.0.unwrap();

    *source.0.lock().unwrap() = new.source("orders");
    talk(Arc::clone(&server), edge_to_orders(&new)).await.0.unwrap();
    let (refusal, _) = talk(server, client_showing(&new, Some(old.certified(&Authority::params(vec![spiffe("edge")]))))).await;
    assert_eq!(*refusal.unwrap_err().certificate(), CertificateError::UnknownIssuer);
}

#[test]
fn a_workload_that_the_source_does_not_hold_gets_no_configuration() {
    let source = Authority::new().source("orders");
    let unknown = server_config(Arc::clone(&source), &name("payments"));
    assert!(matches!(unknown, Err(IdentityError::UnknownWorkload(_))), "{unknown:?}");
    let unknown = client_config(source, &name("payments"), &name("orders"));
    assert!(matches!(unknown, Err(IdentityError::UnknownWorkload(_))), "{unknown:?}");
}
