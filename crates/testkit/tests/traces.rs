//! One trace from the caller through every domain, and from a job through those that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::StreamExt;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;
use weft_contracts_catalog::{BatchGetVariantsRequest, CatalogClient};
use weft_contracts_orders::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, Orders, OrdersClient,
    OrdersContract,
};
use weft_edge_fixture::contract::{NotesClient, WatchNotesRequest};
use weft_mesh::{Call, Domain, Error, MeshReason, Reply, Result, call::TenantId};
use weft_telemetry::{Format, Settings};
use weft_testkit::{Backend, Mesh};

/// How long a stream is open before it is read.
const OPEN: Duration = Duration::from_millis(50);

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Asks the catalog whatever it is asked, and whenever its job runs.
struct Asking(CatalogClient);

impl Asking {
    async fn ask(&self, call: &Call) -> Result<()> {
        let ids = vec![Uuid::now_v7().to_string()];
        self.0.batch_get_variants(call, BatchGetVariantsRequest { ids }).await.map(drop)
    }

    async fn restock(&self, call: &Call) -> Result<()> {
        self.ask(&call.in_tenant(TenantId(Uuid::now_v7()))?).await
    }
}

fn not_here<T>() -> Result<Reply<T>> {
    Err(Error::new(MeshReason::MethodUnknown, "not here"))
}

impl Orders for Asking {
    async fn create_order(&self, _: &Call, _: CreateOrderRequest) -> Result<Reply<Order>> {
        not_here()
    }

    async fn get_order(&self, call: &Call, _: GetOrderRequest) -> Result<Reply<Order>> {
        // It fails: nothing of the kind is for sale. The trace shows it all the same.
        self.ask(call).await?;
        not_here()
    }

    async fn list_orders(&self, _: &Call, _: ListOrdersRequest) -> Result<Reply<ListOrdersResponse>> {
        not_here()
    }

    async fn cancel_order(&self, _: &Call, _: CancelOrderRequest) -> Result<Reply<Order>> {
        not_here()
    }
}

fn orders() -> Domain {
    let served = Domain::new::<OrdersContract>().serve(|cx| Asking(cx.client::<CatalogClient>()));
    served.every("restock", Duration::from_hours(1), Asking::restock).build()
}

/// A trace as a list of `kind name` from the outermost span inwards; each but the first must be a
/// child of the one before.
fn chain(spans: &[Span], trace: &[u8], root_parent: &[u8]) -> Vec<String> {
    let of_trace: Vec<_> = spans.iter().filter(|span| span.trace_id == trace).collect();
    let mut parent = root_parent.to_vec();
    let mut chain = Vec::new();
    while let Some(span) = of_trace.iter().find(|span| span.parent_span_id == parent) {
        chain.push(format!("{} {}", ["?", "internal", "server", "client"][usize::try_from(span.kind).unwrap()], span.name));
        parent.clone_from(&span.span_id);
    }
    assert_eq!(chain.len(), of_trace.len(), "every span is of the one chain: {of_trace:#?}");
    chain
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    span.attributes.iter().map(|attribute| (attribute.key.as_str(), format!("{:?}", attribute.value))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_and_a_job_are_one_trace_each_through_every_domain() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let otel_endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    let server = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    // Nothing is logged, and traces are recorded all the same.
    let (level, service_name) = ("off".to_owned(), "weft-test".to_owned());
    let settings = Settings { level, format: Format::Json, otel_endpoint, sample_ratio: 1.0, service_name };
    let guard = weft_telemetry::init(&settings).unwrap();

    let mesh = Mesh::of([weft_catalog::domain(), orders(), weft_edge_fixture::domain()]).start(Backend::Sqlite).await;
    let client: OrdersClient = mesh.client();
    let user = mesh.user(mesh.tenant(), "customer");
    let recorded = || {
        let mut parts = user.parts();
        parts.trace.flags = 1;
        parts.build()
    };
    let streams = [(2, false, 3), (2, true, 3), (5, false, 1)].map(|wanted| (recorded(), wanted));
    let (recorded, unrecorded) = (recorded(), user.call());
    for call in [&recorded, &unrecorded] {
        let request = GetOrderRequest { id: Uuid::now_v7().to_string() };
        client.get_order(call, request).await.unwrap_err();
    }
    mesh.running().run_job("orders", "restock").await.unwrap_err();
    for (call, (count, fail, taken)) in &streams {
        let request = WatchNotesRequest { count: *count, fail: *fail };
        let mut notes = mesh.client::<NotesClient>().watch_notes(call, request).await.unwrap().into_message();
        tokio::time::sleep(OPEN).await;
        for _ in 0..*taken {
            let _ = notes.next().await;
        }
    }
    mesh.stop().await;
    guard.shutdown().await.unwrap();

    let mut spans = Vec::new();
    while let Ok(export) = received.try_recv() {
        spans.extend(export.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans));
    }
    let inner =
        ["client weft.catalog.v1.Catalog/BatchGetVariants", "server weft.catalog.v1.Catalog/BatchGetVariants", "client read"];
    let outer = ["client weft.orders.v1.Orders/GetOrder", "server weft.orders.v1.Orders/GetOrder"];
    let trace = recorded.trace();
    assert_eq!(chain(&spans, &trace.trace_id, &[]), [&outer[..], &inner[..]].concat());
    assert!(!spans.iter().any(|span| span.trace_id == unrecorded.trace().trace_id));

    let job = spans.iter().find(|span| span.name == "orders/restock").unwrap();
    let expected = [&["internal orders/restock"][..], &inner[..2]].concat();
    let found = chain(&spans, &job.trace_id, &[]);
    assert_eq!(found[..3], expected[..]);
    let traces: BTreeSet<_> = spans.iter().map(|span| span.trace_id.clone()).collect();
    let all: Vec<_> = spans.iter().map(|span| (&span.name, span.kind)).collect();
    assert_eq!(traces.len(), 2 + streams.len(), "no span stands alone: {all:?}");
    for ((call, _), (code, messages)) in streams.iter().zip([(0, "2"), (8, "2"), (1, "1")]) {
        let ends: Vec<_> = spans.iter().filter(|span| span.trace_id == call.trace().trace_id).collect();
        assert_eq!(ends.len(), 2, "the client's and the server's: {ends:#?}");
        for span in ends {
            let said = attributes(span);
            let is_client = span.kind == 3;
            // A server may have sent everything before its client goes away, or has read anything.
            if is_client || code != 1 {
                assert!(said["rpc.grpc.status_code"].contains(&format!("IntValue({code})")), "{said:?}");
            }
            if is_client {
                let lasted = Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano);
                assert!(lasted >= OPEN, "it ends with its stream: {span:?}");
                assert!(said["rpc.messages.received"].contains(&format!("IntValue({messages})")), "{said:?}");
            }
        }
    }

    let server = spans.iter().find(|span| span.name == "weft.catalog.v1.Catalog/BatchGetVariants" && span.kind == 2).unwrap();
    let said = attributes(server);
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "weft.catalog.v1.Catalog"),
        ("rpc.method", "BatchGetVariants"),
        ("peer.service", "orders"),
    ] {
        assert!(said.get(key).is_some_and(|said| said.contains(value)), "{key}: {said:?}");
    }
    let client = spans.iter().find(|span| span.name == server.name && span.kind == 3).unwrap();
    let said = attributes(client);
    for key in ["server.address", "server.port", "rpc.grpc.status_code", "error.type"] {
        assert!(said.contains_key(key), "{key}: {said:?}");
    }
}
