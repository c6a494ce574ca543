//! TLS: which protocol is spoken, which certificate is shown, and until when.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};
use weft_edge::TlsFiles;

use crate::house::House;

const HOST: &str = "edge.test";

/// A certificate in a folder that an edge reads.
struct Shown {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Shown {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let der = write(folder.path());
        Self { folder, der }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { certificate: self.folder.path().join("tls.crt"), key: self.folder.path().join("tls.key") }
    }

    async fn house(&self) -> House {
        let files = self.files();
        House::with(|edge| {
            edge.settings.tls = Some(files);
            edge.settings.handshake_timeout = Duration::from_millis(300);
        })
        .await
    }
}

/// A new certificate and its key.
fn write(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("tls.key"), fs::Permissions::from_mode(0o600)).unwrap();
    made.cert.der().clone()
}

async fn connect(house: &House, root: &CertificateDer<'static>, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(HOST.try_into().unwrap(), stream).await
}

fn get() -> Request<Empty<Bytes>> {
    Request::get(format!("https://{HOST}/v1/notes/7")).header("host", HOST).body(Empty::new()).unwrap()
}

async fn http2(stream: TlsStream<TcpStream>) -> http2::SendRequest<Empty<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn the_protocol_is_chosen_by_alpn() {
    let shown = Shown::new();
    let house = shown.house().await;
    let stream = connect(&house, &shown.der, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(http2(stream).await.send_request(get()).await.unwrap().status(), 200);
    for protocols in [&["http/1.1"][..], &[]] {
        let stream = connect(&house, &shown.der, protocols).await.unwrap();
        assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        assert_eq!(sender.send_request(get()).await.unwrap().status(), 200);
    }
    assert!(connect(&house, &shown.der, &["spdy/3"]).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_the_old_ones_stay() {
    let shown = Shown::new();
    let house = shown.house().await;
    let mut old = http2(connect(&house, &shown.der, &["h2"]).await.unwrap()).await;
    assert_eq!(old.send_request(get()).await.unwrap().status(), 200);
    let new = write(shown.folder.path());
    let shown_anew = async {
        while connect(&house, &new, &["h2"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), shown_anew).await.expect("the new certificate is shown");
    assert_eq!(old.send_request(get()).await.unwrap().status(), 200);
    fs::write(shown.folder.path().join("tls.crt"), "garbage").unwrap();
    // Long enough to be read, and read again.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(connect(&house, &new, &["h2"]).await.is_ok(), "what cannot be used is not taken");
}

#[tokio::test]
async fn nobody_gets_in_without_a_handshake() {
    let shown = Shown::new();
    let house = shown.house().await;
    for said in [&b"GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01", b""] {
        let mut stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is reset is closed as well.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("it is closed");
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{said:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_and_one_of_another_certificate_stop_the_start() {
    let (shown, other) = (Shown::new(), Shown::new());
    let start = async |files: TlsFiles| {
        let house = Box::pin(House::start()).await;
        let mut edge = house.another();
        edge.settings.tls = Some(files);
        edge.start().await.expect_err("it does not start").to_string()
    };
    let foreign = start(TlsFiles { certificate: shown.files().certificate, key: other.files().key }).await;
    assert!(foreign.contains("cannot be used") && foreign.contains("tls.crt"), "{foreign}");
    fs::set_permissions(shown.files().key, fs::Permissions::from_mode(0o644)).unwrap();
    let loose = start(shown.files()).await;
    assert!(loose.contains("tls.key") && loose.contains("644"), "{loose}");
    let missing = start(TlsFiles { certificate: shown.folder.path().join("none"), key: other.files().key }).await;
    assert!(missing.contains("none cannot be read"), "{missing}");
}
