//! A domain whose handler the test holds in its hand, and a caller of it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;
use weft_access::{AssertionVerifier, CallerRules, ContractRoles, RateLimits};
use weft_call::{
    Access, Audit, BoxFuture, Call, CallBuilder, Clock, Contract, Deadline, Idempotency, MethodContract, MethodKind, NoReplays,
    Payload, Replays, Reply, Result, Service, ServiceContract, Upstream,
};
use weft_discovery::{Endpoint, Static};
use weft_telemetry::Metrics;
use weft_transport::{Admission, Limits, Listener, LiveTuning, Server, Tuning, Upstreams};
use weft_workload_identity::{CertificateSource, DevelopmentCa};

const CALLER: &str = "carts";

const fn method(
    index: usize,
    name: &'static str,
    path: &'static str,
    kind: MethodKind,
    idempotency: Idempotency,
) -> MethodContract {
    let access = Access { public: false, authenticated: false, permission: None, roles: &[], callers: &[CALLER], any_of: false };
    MethodContract {
        index,
        domain: "orders",
        service: "weft.orders.v1.Orders",
        name,
        path,
        input: "",
        output: "",
        kind,
        access,
        system: None,
        deadline: None,
        idempotency,
        replica: false,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}

static METHODS: [MethodContract; 3] = [
    method(0, "Hold", "/weft.orders.v1.Orders/Hold", MethodKind::Unary, Idempotency::Read),
    method(1, "Work", "/weft.orders.v1.Orders/Work", MethodKind::Unary, Idempotency::None),
    method(2, "Watch", "/weft.orders.v1.Orders/Watch", MethodKind::ServerStreaming, Idempotency::Read),
];

/// Takes as long as the test says.
pub(crate) static HOLD: &MethodContract = &METHODS[0];
/// Answers at once, and must not be repeated.
pub(crate) static WORK: &MethodContract = &METHODS[1];
/// A stream of whatever the test sends.
pub(crate) static WATCH: &MethodContract = &METHODS[2];

static SERVICE: [ServiceContract; 1] =
    [ServiceContract { name: "weft.orders.v1.Orders", domain: "orders", calls: &[], permissions: &[], methods: &METHODS }];
static CONTRACT: Contract =
    Contract { domain: "orders", package: "weft.orders.v1", services: &SERVICE, reasons: &[], events: &[], descriptor_set: &[] };

/// The domain's handler.
pub(crate) struct Handler {
    /// Calls of HOLD that have begun.
    pub(crate) begun: AtomicUsize,
    /// Calls of HOLD end when they get a permit of this.
    pub(crate) ends: Semaphore,
    /// Where the messages of streams are sent from.
    pub(crate) streams: mpsc::UnboundedSender<mpsc::UnboundedSender<Result<Bytes>>>,
}

impl Service for Handler {
    fn contract(&self) -> &'static ServiceContract {
        &SERVICE[0]
    }

    fn handle<'a>(
        &'a self,
        method: &'static MethodContract,
        _: Call,
        _: Payload,
        _: &'a dyn Replays,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        Box::pin(async move {
            match method.name {
                "Hold" => {
                    self.begun.fetch_add(1, Ordering::SeqCst);
                    self.ends.acquire().await.unwrap().forget();
                }
                "Watch" => {
                    let (sender, mut messages) = mpsc::unbounded_channel();
                    self.streams.send(sender).unwrap();
                    let messages = futures_util::stream::poll_fn(move |context| messages.poll_recv(context));
                    return Ok(Payload::Stream(Box::pin(messages)).into());
                }
                _ => {}
            }
            Ok(Payload::Message(Bytes::from_static(b"done")).into())
        })
    }
}

/// Counts the connections that it takes.
struct Counted(TcpListener, Arc<AtomicUsize>);

impl Listener for Counted {
    type Socket = TcpStream;

    async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        let accepted = Listener::accept(&self.0).await;
        self.1.fetch_add(1, Ordering::SeqCst);
        accepted
    }
}

/// A domain that is served, and its caller.
pub(crate) struct Mesh {
    pub(crate) handler: Arc<Handler>,
    /// The streams that were opened, in their order.
    pub(crate) opened: mpsc::UnboundedReceiver<mpsc::UnboundedSender<Result<Bytes>>>,
    pub(crate) upstream: Arc<dyn Upstream>,
    _upstreams: Upstreams,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Metrics,
    /// The connections that the domain has taken.
    pub(crate) connections: Arc<AtomicUsize>,
    /// The domain drains when it is cancelled.
    pub(crate) stop: CancellationToken,
    folder: TempDir,
}

impl Mesh {
    /// With the tunings of the two ends.
    pub(crate) async fn start(serving: Tuning, calling: Tuning) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (streams, opened) = mpsc::unbounded_channel();
        let handler = Arc::new(Handler { begun: AtomicUsize::new(0), ends: Semaphore::new(0), streams });
        let (metrics, stop, connections) = (Metrics::new(), CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let certificates = certificates(folder.path());
        let limits = Limits { drain: Duration::from_secs(2), ..Limits::default() };
        let server = Server::new(
            Arc::clone(&handler) as _,
            Arc::new(NoReplays),
            admission(&certificates, &metrics),
            certificates,
            metrics.clone(),
            limits,
            LiveTuning::new(serving).unwrap(),
        );
        let (server, _) = server.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server.serve(Counted(listener, Arc::clone(&connections)), stop.clone()));
        let upstreams = upstreams(folder.path(), address, &metrics, calling);
        let upstream = upstreams.upstream("orders").unwrap();
        Self { handler, opened, upstream, _upstreams: upstreams, address, metrics, connections, stop, folder }
    }

    /// A caller of another address that takes itself for the domain's.
    pub(crate) fn caller_of(&self, address: SocketAddr, tuning: Tuning) -> Upstreams {
        upstreams(self.folder.path(), address, &self.metrics, tuning)
    }

    /// Calls a method with so much time.
    pub(crate) async fn call(&self, method: &'static MethodContract, time: Duration) -> Result<Reply<Payload>> {
        let mut parts = CallBuilder::new(Clock::system());
        parts.deadline = Some(Deadline::after(time));
        self.upstream.call(&parts.build(), method, Payload::Message(Bytes::new())).await
    }

    /// Opens a stream, and gives what its handler sends to.
    pub(crate) async fn watch(&mut self) -> (weft_call::Streaming<Bytes>, mpsc::UnboundedSender<Result<Bytes>>) {
        let call = CallBuilder::new(Clock::system()).build();
        let reply = self.upstream.call(&call, WATCH, Payload::Message(Bytes::new())).await.unwrap();
        match reply.message {
            Payload::Stream(stream) => (stream, self.opened.recv().await.unwrap()),
            Payload::Message(_) => panic!("a stream was asked for"),
        }
    }
}

fn certificates(folder: &Path) -> Arc<dyn CertificateSource> {
    Arc::new(DevelopmentCa::open(&folder.join("certificates"), "weft.local".parse().unwrap()).unwrap())
}

fn admission(certificates: &Arc<dyn CertificateSource>, metrics: &Metrics) -> Admission {
    Admission {
        rules: Arc::new(CallerRules::of([&CONTRACT])),
        roles: Arc::new(ContractRoles::of([&CONTRACT])),
        limits: Arc::new(RateLimits::of([&CONTRACT], &[])),
        assertions: Arc::new(AssertionVerifier::new(Arc::clone(certificates), Vec::new())),
        clock: Clock::system(),
        metrics: metrics.clone(),
    }
}

fn upstreams(folder: &Path, address: SocketAddr, metrics: &Metrics, tuning: Tuning) -> Upstreams {
    let resolver = Static::new(BTreeMap::from([("orders".to_owned(), Endpoint::from(address))]));
    let (own, tuning) = (CALLER.parse().unwrap(), LiveTuning::new(tuning).unwrap());
    Upstreams::new(own, Arc::new(resolver), certificates(folder), metrics.clone(), tuning)
}

/// A tuning that never sends a call again, so that every failure is seen.
pub(crate) fn once() -> Tuning {
    let mut tuning = Tuning::default();
    tuning.retry.attempts = 0;
    tuning
}

/// Waits until it holds; fails if it does not within a few seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}
