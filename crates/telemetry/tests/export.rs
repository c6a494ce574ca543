//! A whole process: telemetry is started once, spans reach a collector, the guard sends the last ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use weft_call::TraceContext;
use weft_telemetry::{Format, Settings, TelemetryError, adopt_parent, current, init};

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn settings() -> Settings {
    Settings {
        level: "info".to_owned(),
        format: Format::Json,
        otel_endpoint: None,
        sample_ratio: 1.0,
        service_name: "weft-test".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_the_collector_by_shutdown() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let settings = Settings { otel_endpoint: Some(format!("http://{address}")), ..settings() };
    let guard = init(&settings).unwrap();
    assert!(matches!(init(&settings), Err(TelemetryError::Started(_))));
    let span = tracing::info_span!("call", domain = "orders");
    let trace = TraceContext { flags: 1, ..TraceContext::start() };
    adopt_parent(&span, &trace);
    let inside = current(&span).unwrap();
    assert_eq!((inside.trace_id, inside.flags, inside.is_new), (trace.trace_id, 1, false));
    span.in_scope(|| tracing::info!("inside"));
    drop(span);
    tracing::info_span!("of no trace").in_scope(|| ());
    tracing::info_span!(target: "h2::codec", "noise").in_scope(|| ());
    guard.shutdown().await.unwrap();

    let export = received.try_recv().unwrap();
    let text = format!("{:?}", export.resource_spans[0].resource);
    assert!(text.contains("service.name") && text.contains("weft-test"), "{text}");
    let spans: Vec<_> =
        export.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).collect();
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["call"]);
    assert_eq!((&spans[0].trace_id[..], &spans[0].parent_span_id[..]), (&trace.trace_id[..], &[][..]), "it begins the trace");
    assert!(spans[0].attributes.iter().any(|attribute| attribute.key == "domain"));
}

#[test]
fn a_malformed_setting_is_named() {
    let level = init(&Settings { level: "info,=x=y".to_owned(), ..settings() }).unwrap_err().to_string();
    assert!(level.starts_with("log.level: \"info,=x=y\" is not a filter: "), "{level}");
    let ratio = init(&Settings { sample_ratio: f64::NAN, ..settings() }).unwrap_err().to_string();
    assert_eq!(ratio, "otel.sample_ratio: NaN is not between 0 and 1");
    let endpoint = Settings { otel_endpoint: Some("http://localhost:4317".to_owned()), ..settings() };
    assert!(matches!(init(&endpoint), Err(TelemetryError::NoRuntime)));
}
