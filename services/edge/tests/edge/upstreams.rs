//! Servers behind an edge that stands alone: one of several that fails, and one that speaks TLS.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodOptions, method_options::IdempotencyLevel};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::pb::health_server::HealthServer;
use weft_call::Clock;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, Running, SchemaSource, Settings, UPSTREAM};
use weft_telemetry::Metrics;
use weft_transport::{LiveTuning, TransportError, Upstreams};

/// The name that the server's certificate is for.
const HOST: &str = "localhost";

async fn serve(routes: tonic::service::Routes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

async fn healthy() -> SocketAddr {
    serve(tonic::service::Routes::new(tonic_health::server::health_reporter().1)).await
}

/// A server that refuses every call, and how many it has refused.
async fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let refuse = move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(tonic::Status::unavailable("not now"))
    };
    let service = tonic_health::server::HealthService::from_health_reporter(tonic_health::server::HealthReporter::new());
    (serve(tonic::service::Routes::new(HealthServer::with_interceptor(service, refuse))).await, refused)
}

/// The descriptors of health, whose methods say this of a repeat.
fn schema(folder: &TempDir, level: IdempotencyLevel) -> SchemaSource {
    let mut set = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    let services = set.file.iter_mut().flat_map(|file| &mut file.service);
    for method in services.flat_map(|service| &mut service.method) {
        method.options = Some(MethodOptions { idempotency_level: Some(level.into()), ..MethodOptions::default() });
    }
    let file = folder.path().join("health.binpb");
    std::fs::write(&file, set.encode_to_vec()).unwrap();
    SchemaSource::File(file)
}

async fn edge(schema: SchemaSource, upstreams: Upstreams, metrics: Metrics) -> Running {
    let settings = Settings { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() };
    Alone { settings, schema, upstreams, clock: Clock::system(), metrics }.start().await.unwrap()
}

/// The status of a check.
async fn check(edge: &Running) -> u16 {
    let url = format!("http://{}/grpc.health.v1.Health/Check", edge.local_addr);
    reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap().status().as_u16()
}

/// How many of a hundred checks fail with one of two servers refusing them, and how many that one refused.
async fn beside_one_that_refuses(level: IdempotencyLevel) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let ((broken, refused), metrics) = (refusing().await, Metrics::new());
    let servers = [Endpoint::from(broken), healthy().await.into()];
    let resolver = Arc::new(Static::of(UPSTREAM, servers));
    let upstreams = Upstreams::plaintext("edge".parse().unwrap(), resolver, metrics.clone(), LiveTuning::default());
    let edge = edge(schema(&folder, level), upstreams, metrics).await;
    let mut failed = 0;
    for _ in 0..100 {
        failed += usize::from(check(&edge).await != 200);
    }
    (failed, refused.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_has_no_side_effects_is_asked_again_elsewhere() {
    for level in [IdempotencyLevel::NoSideEffects, IdempotencyLevel::Idempotent] {
        let (failed, refused) = beside_one_that_refuses(level).await;
        assert_eq!(failed, 0, "{level:?}");
        assert!(refused > 0, "{level:?}: nothing had to be asked again");
    }
}

#[tokio::test]
async fn what_may_have_effects_is_asked_once_and_the_server_that_fails_is_left_alone() {
    let (failed, refused) = beside_one_that_refuses(IdempotencyLevel::IdempotencyUnknown).await;
    assert_eq!(failed, refused, "each refusal is the client's answer");
    assert!((1..50).contains(&failed), "{failed} of 100");
}

/// Puts TLS before a server, and gives the port and the certificate that proves it.
async fn behind_tls(server: SocketAddr, folder: &Path) -> (u16, PathBuf) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let file = folder.join("authority.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate leaves.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, file)
}

fn over_tls(port: u16, authorities: Option<&Path>) -> Result<Upstreams, TransportError> {
    let resolver = Arc::new(Static::of(UPSTREAM, [Endpoint::new(HOST, port)]));
    Upstreams::tls("edge".parse().unwrap(), resolver, authorities, Metrics::new(), LiveTuning::default())
}

#[tokio::test]
async fn a_server_over_tls_is_called_once_it_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let (port, authority) = behind_tls(healthy().await, folder.path()).await;
    for (authorities, status) in [(Some(authority.as_path()), 200), (None, 503)] {
        let schema = schema(&folder, IdempotencyLevel::IdempotencyUnknown);
        let edge = edge(schema, over_tls(port, authorities).unwrap(), Metrics::new()).await;
        assert_eq!(check(&edge).await, status, "{authorities:?}");
    }
}

#[test]
fn authorities_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    assert!(matches!(over_tls(1, Some(&file)), Err(TransportError::Authorities { .. })));
    std::fs::write(&file, "nothing").unwrap();
    assert!(matches!(over_tls(1, Some(&file)), Err(TransportError::NoAuthority { .. })));
}

#[tokio::test]
async fn what_is_served_is_told_with_its_routes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.binpb");
    std::fs::write(&file, weft_edge_fixture::domain().contract().descriptor_set).unwrap();
    let resolver = Arc::new(Static::of(UPSTREAM, [Endpoint::new(HOST, 1)]));
    let upstreams = Upstreams::plaintext("edge".parse().unwrap(), resolver, Metrics::new(), LiveTuning::default());
    let edge = edge(SchemaSource::File(file), upstreams, Metrics::new()).await;
    let methods = edge.served().methods();
    let get = methods.iter().find(|method| method.name == "GetNote").unwrap();
    assert_eq!(get.http.iter().map(|route| (route.method.as_str(), route.template)).next(), Some(("GET", "/v1/notes/{id}")));
}
