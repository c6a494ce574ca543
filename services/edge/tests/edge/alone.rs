//! An edge that stands alone, in front of a server that is no domain: health and reflection as tonic has them.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use serde_json::json;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use weft_call::Clock;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, EdgeError, Running, SchemaSource, Settings, UPSTREAM};
use weft_telemetry::Metrics;
use weft_transport::{LiveTuning, Upstreams};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const SET: &[u8] = tonic_health::pb::FILE_DESCRIPTOR_SET;

/// A server with health and one version of reflection.
async fn server(is_v1: bool) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let describe = || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(SET);
    let routes = tonic::service::Routes::new(health);
    let routes = if is_v1 {
        routes.add_service(describe().build_v1().unwrap())
    } else {
        routes.add_service(describe().build_v1alpha().unwrap())
    };
    let serving = tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    address.into()
}

async fn start(schema: SchemaSource, server: Endpoint) -> Result<Running, EdgeError> {
    start_counted(schema, server, Metrics::new()).await
}

async fn start_counted(schema: SchemaSource, server: Endpoint, metrics: Metrics) -> Result<Running, EdgeError> {
    let resolver = Arc::new(Static::of(UPSTREAM, [server]));
    let upstreams = Upstreams::plaintext("edge".parse().unwrap(), resolver, metrics.clone(), LiveTuning::default());
    let settings = Settings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        schema_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    Alone { settings, schema, upstreams, clock: Clock::system(), metrics }.start().await
}

/// The status of a check of the whole server, and the body.
async fn check(edge: &Running) -> (u16, String) {
    let url = format!("http://{}{CHECK}", edge.local_addr);
    let answer = reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until a check is answered with the status.
async fn until(edge: &Running, status: u16) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while check(edge).await.0 != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no check is answered with {status}"));
}

/// Waits until the metrics have the line.
async fn until_told(metrics: &Metrics, line: &str) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while !metrics.render().lines().any(|told| told == line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("it is not told: {line}"));
}

#[tokio::test]
async fn a_server_describes_itself_in_either_version_of_reflection() {
    for is_v1 in [true, false] {
        let edge = start(SchemaSource::Reflection, server(is_v1).await).await.unwrap();
        assert_eq!(check(&edge).await, (200, "{\"status\":\"SERVING\"}".to_owned()), "v1: {is_v1}");
    }
}

#[tokio::test]
async fn a_schema_is_taken_while_the_edge_serves_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("schema.binpb");
    let other = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
    std::fs::write(&file, other).unwrap();
    let metrics = Metrics::new();
    let edge = start_counted(SchemaSource::File(file.clone()), server(true).await, metrics.clone()).await.unwrap();
    assert_eq!(check(&edge).await.0, 404, "it is not in the schema");
    std::fs::write(&file, SET).unwrap();
    until(&edge, 200).await;
    for (count, bad) in [&b"garbage"[..], b"", &SET[..SET.len() / 2]].into_iter().enumerate() {
        std::fs::write(&file, bad).unwrap();
        until_told(&metrics, &format!("weft_edge_schemas_refused_total {}", count + 1)).await;
        assert_eq!(check(&edge).await.0, 200, "the schema before serves on");
    }
    std::fs::remove_file(&file).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(check(&edge).await.0, 200);
    std::fs::write(&file, other).unwrap();
    until(&edge, 404).await;
}

#[tokio::test]
async fn an_edge_does_not_start_without_a_schema_that_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("schema.binpb");
    let begin = async || start(SchemaSource::File(file.clone()), Endpoint::new("127.0.0.1", 1)).await.map(drop).unwrap_err();
    assert!(matches!(begin().await, EdgeError::SchemaFile { .. }));
    std::fs::write(&file, b"").unwrap();
    assert!(matches!(begin().await, EdgeError::NothingToServe));
    std::fs::write(&file, b"garbage").unwrap();
    assert!(matches!(begin().await, EdgeError::Schema(_)));
}

#[tokio::test]
async fn another_schema_is_described_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("schema.binpb");
    std::fs::write(&file, SET).unwrap();
    let edge = start(SchemaSource::File(file.clone()), server(true).await).await.unwrap();
    let url = format!("http://{}/openapi.json", edge.local_addr);
    let paths = async || -> serde_json::Value {
        let document: serde_json::Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        document["paths"].clone()
    };
    assert_eq!(paths().await, json!({}), "health has no routes");
    std::fs::write(&file, weft_edge_fixture::domain().contract().descriptor_set).unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while paths().await == json!({}) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the document follows the schema");
    assert!(paths().await["/v1/notes/{id}"]["get"]["security"].is_null(), "the server behind says who may call");
}
