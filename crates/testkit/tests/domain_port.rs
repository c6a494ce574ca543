//! What a domain's own port refuses, and the one thing that it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        client::Resumption,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
        version::TLS13,
    },
};
use weft_contracts_catalog::{CatalogClient, CreateProductRequest, GetProductRequest, ListProductsRequest};
use weft_mesh::{Code, MeshReason};
use weft_testkit::{Backend, Mesh};
use weft_workload_identity::{CertificateSource, DevelopmentCa, client_config};

async fn mesh() -> Mesh {
    Mesh::of([weft_catalog::domain(), weft_orders::domain()]).start(Backend::Sqlite).await
}

fn catalog_port(mesh: &Mesh) -> SocketAddr {
    mesh.running().addresses()["catalog"]
}

/// Offers HTTP/2 over TLS; true if the server went along with it.
async fn taken(port: SocketAddr, config: Arc<ClientConfig>) -> bool {
    let tcp = TcpStream::connect(port).await.unwrap();
    let name = ServerName::try_from("mesh.invalid").unwrap();
    let Ok(mut tls) = TlsConnector::from(config).connect(name, tcp).await else { return false };
    // TLS 1.3 clients learn of a refused certificate with their first read.
    let sent = tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut answer = [0; 9];
    sent.is_ok() && tls.read_exact(&mut answer).await.is_ok()
}

async fn answer_to(port: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(port).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is a refusal as well.
    let _ = tcp.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_of_the_mesh_is_taken() {
    let mesh = mesh().await;
    let config = client_config(mesh.running().certificates(), &"edge".parse().unwrap(), &"catalog".parse().unwrap()).unwrap();
    assert!(taken(catalog_port(&mesh), config).await);
    let staff = mesh.user(mesh.tenant(), "staff");
    assert!(mesh.client::<CatalogClient>().list_products(&staff.call(), ListProductsRequest::default()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_is_refused() {
    let mesh = mesh().await;
    let answer = answer_to(catalog_port(&mesh), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    // At most a TLS alert: never an HTTP/2 frame.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    let answer = answer_to(catalog_port(&mesh), b"GET / HTTP/1.1\r\nhost: catalog\r\n\r\n").await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_is_refused() {
    let mesh = mesh().await;
    let mut roots = RootCertStore::empty();
    let identity = mesh.running().certificates().identity(&"catalog".parse().unwrap()).unwrap();
    for certificate in identity.chain() {
        // Leaves do as trust anchors here: the client must get as far as being refused itself.
        let _ = roots.add(CertificateDer::clone(certificate));
    }
    let mut config =
        (*client_config(mesh.running().certificates(), &"edge".parse().unwrap(), &"catalog".parse().unwrap()).unwrap()).clone();
    config.client_auth_cert_resolver = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
        .client_auth_cert_resolver;
    config.resumption = Resumption::disabled();
    assert!(!taken(catalog_port(&mesh), Arc::new(config)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_foreign_authority_is_refused() {
    let mesh = mesh().await;
    let folder = tempfile::tempdir().unwrap();
    let foreign = DevelopmentCa::open(&folder.path().join("ca"), "weft.local".parse().unwrap()).unwrap();
    let foreign: Arc<dyn CertificateSource> = Arc::new(foreign);
    let (edge, catalog) = ("edge".parse().unwrap(), "catalog".parse().unwrap());
    let ours = client_config(mesh.running().certificates(), &edge, &catalog).unwrap();
    // The foreign certificate, shown by a client that would take ours.
    let mut config = (*ours).clone();
    config.client_auth_cert_resolver = Arc::clone(&client_config(foreign, &edge, &catalog).unwrap().client_auth_cert_resolver);
    assert!(taken(catalog_port(&mesh), ours).await);
    assert!(!taken(catalog_port(&mesh), Arc::new(config)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_refused() {
    let mesh = mesh().await;
    // RFC 5246 section 7.4.1.2: version 3.3, random, no session, one suite, no compression, and the
    // extensions supported_groups (P-256) and signature_algorithms (ECDSA with SHA-256).
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    let mut hello = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 16], &extensions].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.append(&mut hello);
    // A fatal alert, protocol_version (RFC 8446 section 6).
    assert_eq!(answer_to(catalog_port(&mesh), &record).await, [21, 3, 3, 0, 2, 2, 70]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_workloads_certificate_is_refused() {
    let mesh = mesh().await;
    let (edge, catalog) = ("edge".parse().unwrap(), "catalog".parse().unwrap());
    let config = client_config(mesh.running().certificates(), &edge, &catalog).unwrap();
    assert!(!taken(mesh.running().addresses()["orders"], config).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_the_contract_does_not_allow_is_refused_each_call() {
    let mesh = mesh().await;
    let staff = mesh.user(mesh.tenant(), "staff");
    let stranger = mesh.client_as::<CatalogClient>("stranger");
    let error = stranger.list_products(&staff.call(), ListProductsRequest::default()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, Some(MeshReason::CallerNotAllowed)));
    // The catalog does not declare that it calls itself.
    let itself = mesh.client_as::<CatalogClient>("catalog");
    let request = GetProductRequest { id: mesh.tenant().to_string() };
    let error = itself.get_product(&staff.call(), request).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CallerNotAllowed));
    // Orders does.
    let orders = mesh.client_as::<CatalogClient>("orders");
    assert!(orders.list_products(&staff.call(), ListProductsRequest::default()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_is_needed_and_cannot_be_made_up() {
    let mesh = mesh().await;
    let client = mesh.client::<CatalogClient>();
    let error = client.list_products(&mesh.anonymous(), ListProductsRequest::default()).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CredentialsMissing));
    let mut parts = mesh.user(mesh.tenant(), "staff").parts();
    let mut forged = parts.authority.unwrap().signed().unwrap();
    *forged.last_mut().unwrap() ^= 1;
    parts.authority = Some(weft_call::Assertion::new(&forged));
    let error = client.list_products(&parts.build(), ListProductsRequest::default()).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CredentialsInvalid));
    let nobody = mesh.user(mesh.tenant(), "gardener");
    let error = client.list_products(&nobody.call(), ListProductsRequest::default()).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::PermissionMissing));
    let late = mesh.user(mesh.tenant(), "staff").call();
    mesh.clock().advance(weft_mesh::minutes(2));
    let error = client.list_products(&late, ListProductsRequest::default()).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CredentialsInvalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_calls_more_often_than_the_contract_allows_is_refused_and_others_are_not() {
    let mesh = mesh().await;
    let client = mesh.client::<CatalogClient>();
    let busy = mesh.user(mesh.tenant(), "staff");
    // Requests without a product: refused by the rules of the contract, but counted before.
    let limited = async {
        loop {
            let calls: Vec<_> = (0..64).map(|_| busy.call()).collect();
            let calls = calls.iter().map(|call| client.create_product(call, CreateProductRequest::default()));
            for result in futures_util::future::join_all(calls).await {
                let error = result.unwrap_err();
                if error.reason() == Some(MeshReason::RateLimited) {
                    return error;
                }
                assert_eq!(error.reason(), Some(MeshReason::ValidationFailed));
            }
        }
    };
    assert!(limited.await.retry_after().is_some());
    let other = mesh.user(mesh.tenant(), "staff");
    let error = client.create_product(&other.call(), CreateProductRequest::default()).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::ValidationFailed));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_leaves_from_inside_a_database_transaction() {
    let mesh = mesh().await;
    let (client, staff) = (mesh.client::<CatalogClient>(), mesh.user(mesh.tenant(), "staff"));
    let call = staff.call();
    let inside = weft_call::transaction::hold(client.list_products(&call, ListProductsRequest::default())).await;
    assert_eq!(inside.unwrap_err().reason(), Some(MeshReason::Internal));
    assert!(client.list_products(&call, ListProductsRequest::default()).await.is_ok());
}
