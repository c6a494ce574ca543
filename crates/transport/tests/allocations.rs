//! A call through both stacks asks for memory no more often than was agreed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_access::{AssertionSigner, AssertionVerifier, CallerRules, ContractRoles, EDGE, RateLimits};
use weft_call::{
    Access, Audit, BoxFuture, Call, CallBuilder, Clock, Contract, Idempotency, Limit, LimitScope, MethodContract, MethodKind,
    NoReplays, Payload, Principal, Replays, Reply, Result, Scope, Service, ServiceContract, TenantId, Upstream, User,
};
use weft_discovery::InProcess;
use weft_telemetry::Metrics;
use weft_transport::{Admission, Limits, LiveTuning, Server, Upstreams};
use weft_workload_identity::DevelopmentCa;

/// Of both ends together. Half of them are made by hyper and h2; bare tonic, which does nothing of what the stacks do,
/// takes 73.
const AGREED: u64 = 55;
const CALLS: u64 = 200;

static CONTRACT: Contract = Contract {
    domain: "echo",
    package: "weft.echo.v1",
    services: &[ServiceContract {
        name: "weft.echo.v1.Echo",
        domain: "echo",
        calls: &[],
        permissions: &[],
        methods: &[MethodContract {
            index: 0,
            domain: "echo",
            service: "weft.echo.v1.Echo",
            name: "Say",
            path: "/weft.echo.v1.Echo/Say",
            input: "",
            output: "",
            kind: MethodKind::Unary,
            access: Access {
                public: false,
                authenticated: false,
                permission: None,
                roles: &[],
                callers: &["caller"],
                any_of: false,
            },
            system: None,
            deadline: Some(Duration::from_secs(5)),
            idempotency: Idempotency::Read,
            replica: false,
            limits: &[Limit { per: LimitScope::Tenant, rate: 1_000_000, burst: 1_000_000 }],
            audit: Audit::None,
            http: &[],
        }],
    }],
    reasons: &[],
    events: &[],
    descriptor_set: &[],
};

struct Echo;

impl Service for Echo {
    fn contract(&self) -> &'static ServiceContract {
        &CONTRACT.services[0]
    }

    fn handle<'a>(
        &'a self,
        _: &'static MethodContract,
        _: Call,
        request: Payload,
        _: &'a dyn Replays,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        Box::pin(async move { Ok(request.into()) })
    }
}

/// A server, and a client of it; the server ends with its runtime.
async fn both_ends(certificates: Arc<DevelopmentCa>) -> Arc<dyn Upstream> {
    let metrics = Metrics::new();
    let admission = Admission {
        rules: Arc::new(CallerRules::of([&CONTRACT])),
        limits: Arc::new(RateLimits::of([&CONTRACT], &[LimitScope::Tenant])),
        roles: Arc::new(ContractRoles::of([&CONTRACT])),
        assertions: Arc::new(AssertionVerifier::new(certificates.clone(), vec![EDGE.parse().unwrap()])),
        clock: Clock::system(),
        metrics: metrics.clone(),
    };
    let (replays, limits, tuning) = (Arc::new(NoReplays), Limits::default(), LiveTuning::default());
    let (server, _) =
        Server::new(Arc::new(Echo), replays, admission, certificates.clone(), metrics.clone(), limits, tuning.clone()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let resolver = Arc::new(InProcess::default());
    resolver.register("echo", listener.local_addr().unwrap());
    tokio::spawn(server.serve(listener, CancellationToken::new()));
    Upstreams::new("caller".parse().unwrap(), resolver, certificates, metrics, tuning).upstream("echo").unwrap()
}

/// A call on a user's account.
fn users_call(certificates: Arc<DevelopmentCa>) -> Call {
    let tenant = TenantId(Uuid::now_v7());
    let roles = Arc::from(["customer".to_owned()]);
    let principal = Principal::User(User { id: Uuid::now_v7(), tenant, session: Uuid::now_v7(), roles, epoch: 1 });
    let now = Utc::now();
    let signer = AssertionSigner::new(certificates, EDGE.parse().unwrap());
    let mut parts = CallBuilder::new(Clock::system());
    parts.authority = Some(signer.sign(&principal, now + TimeDelta::hours(1), now).unwrap());
    parts.scope = Scope::Tenant(tenant);
    parts.principal = principal;
    parts.build()
}

async fn say(upstream: &dyn Upstream, call: &Call, times: u64) {
    let message = Bytes::from_static(&[7; 100]);
    for _ in 0..times {
        let method = &CONTRACT.services[0].methods[0];
        let reply = upstream.call(call, method, Payload::Message(message.clone())).await.unwrap();
        assert!(matches!(reply.message, Payload::Message(answer) if answer == message));
    }
}

#[test]
fn a_call_through_both_stacks_asks_for_memory_no_more_often_than_agreed() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Arc::new(DevelopmentCa::open(&folder.path().join("ca"), "weft.local".parse().unwrap()).unwrap());
    // One thread, so that all of both ends is counted.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let upstream = runtime.block_on(both_ends(certificates.clone()));
    let call = users_call(certificates);
    runtime.block_on(say(&*upstream, &call, CALLS));
    let counted = allocation_counter::measure(|| runtime.block_on(say(&*upstream, &call, CALLS)));
    let each = counted.count_total / CALLS;
    assert!(each <= AGREED, "{each} allocations a call, {AGREED} are agreed");
    assert!(each > 20, "{each} allocations a call: the count misses one end");
}
