//! One trace from the edge through every domain that a request reaches, and on to who hears of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use prost::Message as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;
use weft_access::{AssertionSigner, EDGE};
use weft_cache::InProcess;
use weft_contracts_auth::RegisterRequest;
use weft_contracts_catalog::{BatchGetVariantsRequest, CatalogClient, ProductCreated};
use weft_contracts_orders::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, Orders, OrdersContract,
};
use weft_edge::{Edge, Settings};
use weft_mesh::{Call, Domain, Error, MeshReason, Reply, Result, store::Tx};
use weft_telemetry::Format;
use weft_testkit::{Backend, Mesh};

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// It has heard of a product.
static HEARD: Notify = Notify::const_new();

/// Asks the catalog for every order that it is asked for, and hears of new products.
struct Asking(CatalogClient);

impl Asking {
    async fn product_created(&self, _: &Call, _: &Tx, _: ProductCreated) -> Result<()> {
        tokio::task::yield_now().await;
        HEARD.notify_one();
        Ok(())
    }
}

fn not_here<T>() -> Result<Reply<T>> {
    Err(Error::new(MeshReason::MethodUnknown, "not here"))
}

impl Orders for Asking {
    async fn create_order(&self, _: &Call, _: CreateOrderRequest) -> Result<Reply<Order>> {
        not_here()
    }

    async fn get_order(&self, call: &Call, request: GetOrderRequest) -> Result<Reply<Order>> {
        self.0.batch_get_variants(call, BatchGetVariantsRequest { ids: vec![request.id.clone()] }).await?;
        Ok(Order { id: request.id, ..Order::default() }.into())
    }

    async fn list_orders(&self, _: &Call, _: ListOrdersRequest) -> Result<Reply<ListOrdersResponse>> {
        not_here()
    }

    async fn cancel_order(&self, _: &Call, _: CancelOrderRequest) -> Result<Reply<Order>> {
        not_here()
    }
}

fn orders() -> Domain {
    Domain::new::<OrdersContract>().serve(|cx| Asking(cx.client::<CatalogClient>())).on(Asking::product_created).build()
}

async fn edge(mesh: &Mesh) -> weft_edge::Running {
    let running = mesh.running();
    let edge = Edge {
        settings: Settings { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() },
        contracts: running.contracts().to_vec(),
        upstreams: running.upstreams(EDGE).unwrap(),
        signer: AssertionSigner::new(running.certificates(), EDGE.parse().unwrap()),
        clock: running.clock().clone(),
        metrics: running.metrics().clone(),
        counters: Arc::new(InProcess::new()),
        limit_factors: running.limit_factors(),
    };
    edge.start().await.unwrap()
}

/// A user's day: they join by gRPC, log in, make a product and ask for an order.
async fn a_day(edge: SocketAddr) {
    const PASSWORD: &str = "correct horse battery";
    let url = |path: &str| format!("http://{edge}{path}");
    let email = format!("{}@weft.example", Uuid::now_v7());
    let account =
        RegisterRequest { email: email.clone(), password: PASSWORD.into(), ..RegisterRequest::default() }.encode_to_vec();
    let length = u32::try_from(account.len()).unwrap().to_be_bytes();
    let framed = [&[0][..], &length, &account].concat();
    let grpc = Client::builder().http2_prior_knowledge().build().unwrap();
    let joined = grpc.post(url("/weft.auth.v1.Auth/Register")).header("content-type", "application/grpc").body(framed);
    let joined = joined.send().await.unwrap();
    assert!(joined.headers().get("grpc-status").is_none_or(|status| status == "0"), "{joined:?}");
    joined.bytes().await.unwrap();

    let http = Client::new();
    let credentials = json!({"email": email, "password": PASSWORD});
    let session: Value = http.post(url("/api/v1/auth/login")).json(&credentials).send().await.unwrap().json().await.unwrap();
    let token = session["token"].as_str().unwrap();
    let variant = json!({"sku": "A-1", "price": {"currencyCode": "EUR", "minorUnits": "1250"}});
    let product = json!({"name": "Chair", "variants": [variant]});
    let created = http.post(url("/api/v1/products")).bearer_auth(token).json(&product).send().await.unwrap();
    assert_eq!(created.status(), StatusCode::CREATED);
    let created: Value = created.json().await.unwrap();
    let variant = created["variants"][0]["id"].as_str().unwrap();
    let unknown = http.get(url("/api/v1/products?secret=1")).bearer_auth(token).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    let order = http.get(url(&format!("/api/v1/orders/{variant}"))).bearer_auth(token);
    let order = order.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(order.send().await.unwrap().status(), StatusCode::OK);
}

/// The spans below `parent`, depth first: `kind name`, indented.
fn tree(spans: &[Span], trace: &[u8], parent: &[u8], depth: usize) -> Vec<String> {
    let mut children: Vec<_> = spans.iter().filter(|span| span.trace_id == trace && span.parent_span_id == parent).collect();
    children.sort_by_key(|span| span.start_time_unix_nano);
    let mut lines = Vec::new();
    for span in children {
        let kind = ["?", "internal", "server", "client", "producer", "consumer"][usize::try_from(span.kind).unwrap()];
        lines.push(format!("{}{kind} {}", "  ".repeat(depth), span.name));
        lines.extend(tree(spans, trace, &span.span_id, depth + 1));
    }
    lines
}

/// The trace of the span of this name: every span of it is in the tree.
fn trace_of(spans: &[Span], name: &str, parent: &[u8]) -> Vec<String> {
    let trace = &spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} in {spans:#?}")).trace_id;
    let tree = tree(spans, trace, parent, 0);
    assert_eq!(tree.len(), spans.iter().filter(|span| span.trace_id == *trace).count(), "no span stands apart: {tree:#?}");
    tree
}

fn said(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    found.map(|attribute| format!("{:?}", attribute.value)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_at_the_edge_is_one_trace_through_domains_and_events() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = weft_telemetry::Settings {
        level: "off".to_owned(),
        format: Format::Json,
        otel_endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
        sample_ratio: 1.0,
        service_name: "weft-test".to_owned(),
    };
    let server = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let guard = weft_telemetry::init(&settings).unwrap();
    let mesh = Mesh::of([weft_auth::domain(), weft_catalog::domain(), orders()]).start(Backend::Sqlite).await;
    let edge = edge(&mesh).await;
    a_day(edge.local_addr).await;
    tokio::time::timeout(Duration::from_mins(1), HEARD.notified()).await.expect("the event is heard");
    drop(edge);
    mesh.stop().await;
    guard.shutdown().await.unwrap();
    let mut spans = Vec::new();
    while let Ok(export) = received.try_recv() {
        spans.extend(export.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans));
    }

    let joined = trace_of(&spans, "POST /weft.auth.v1.Auth/Register", &[]);
    let expected = [
        "server POST /weft.auth.v1.Auth/Register",
        "  client weft.auth.v1.Auth/Register",
        "    server weft.auth.v1.Auth/Register",
    ];
    assert_eq!(joined[..3], expected);

    let made = trace_of(&spans, "POST /api/v1/products", &[]);
    let expected = [
        "server POST /api/v1/products",
        "  client weft.catalog.v1.Catalog/CreateProduct",
        "    server weft.catalog.v1.Catalog/CreateProduct",
    ];
    assert_eq!(made[..3], expected);
    let heard = "      consumer process events.product.created".to_owned();
    assert!(made.contains(&heard), "the event is a child of the call that published it: {made:#?}");

    // The client's trace goes on here.
    let asked = trace_of(&spans, "GET /api/v1/orders/{id}", &0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    let expected = [
        "server GET /api/v1/orders/{id}",
        "  client weft.orders.v1.Orders/GetOrder",
        "    server weft.orders.v1.Orders/GetOrder",
        "      client weft.catalog.v1.Catalog/BatchGetVariants",
        "        server weft.catalog.v1.Catalog/BatchGetVariants",
    ];
    assert_eq!(asked[..5], expected);
    let request = spans.iter().find(|span| span.name == "GET /api/v1/orders/{id}").unwrap();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/v1/orders/{id}"),
        ("http.response.status_code", "IntValue(200)"),
        ("url.path", "/api/v1/orders/"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
    ] {
        assert!(said(request, key).contains(value), "{key}: {request:?}");
    }
    assert!(!format!("{spans:?}").contains("secret"), "{spans:#?}");
}
