//! weft's client and server stacks, set up as a process of a mesh sets them up.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_access::{AssertionSigner, AssertionVerifier, CallerRules, ContractRoles, EDGE, RateLimits};
use weft_call::{
    Call, CallBuilder, Client, Clock, Declares, Error, LimitScope, MeshReason, NoReplays, Principal, Reply, Result, Scope,
    Serves, TenantId, User,
};
use weft_telemetry::Metrics;
use weft_transport::{Admission, Limits, LiveTuning, Server, Upstreams};
use weft_workload_identity::CertificateSource;

use super::{BENCH, CALLER, ServerSettings, resolver::Fixed};
use crate::contract::{Bench, BenchClient, BenchContract, EchoRequest, EchoResponse};

struct Handler {
    work: Duration,
    fails: bool,
}

impl Handler {
    async fn answer(&self, request: EchoRequest) -> Result<Reply<EchoResponse>> {
        if self.fails {
            return Err(Error::new(MeshReason::UpstreamUnavailable, "this endpoint fails"));
        }
        if !self.work.is_zero() {
            tokio::time::sleep(self.work).await;
        }
        let EchoRequest { id, quantity, content } = request;
        Ok(EchoResponse { id, quantity, content }.into())
    }
}

impl Bench for Handler {
    async fn echo(&self, _: &Call, request: EchoRequest) -> Result<Reply<EchoResponse>> {
        self.answer(request).await
    }

    async fn echo_for_user(&self, _: &Call, request: EchoRequest) -> Result<Reply<EchoResponse>> {
        self.answer(request).await
    }

    async fn echo_once(&self, _: &Call, request: EchoRequest) -> Result<Reply<EchoResponse>> {
        self.answer(request).await
    }
}

fn certificates(folder: Option<&Path>) -> anyhow::Result<Arc<dyn CertificateSource>> {
    Ok(super::certificates(folder.context("weft has no plain TCP")?)?)
}

/// Serves on a free port.
pub(crate) async fn serve(settings: &ServerSettings) -> anyhow::Result<u16> {
    let (certificates, metrics) = (certificates(settings.certificates.as_deref())?, Metrics::new());
    let contracts = [BenchContract::CONTRACT];
    let admission = Admission {
        rules: Arc::new(CallerRules::of(contracts)),
        limits: Arc::new(RateLimits::of(contracts, &[LimitScope::Tenant, LimitScope::User, LimitScope::Peer])),
        roles: Arc::new(ContractRoles::of(contracts)),
        assertions: Arc::new(AssertionVerifier::new(Arc::clone(&certificates), vec![EDGE.parse()?])),
        clock: Clock::system(),
        metrics: metrics.clone(),
    };
    let handler = Handler { work: super::work(settings), fails: settings.fails };
    let service = <BenchContract as Serves<Handler>>::service(Arc::new(handler));
    let (server, health) =
        Server::new(service, Arc::new(NoReplays), admission, certificates, metrics, Limits::default(), LiveTuning::default())?;
    health.set_serving(true).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(server.serve(listener, CancellationToken::new()));
    Ok(port)
}

/// The client of the contract, over all the endpoints.
pub(crate) fn client(ports: &[u16], folder: Option<&Path>) -> anyhow::Result<BenchClient> {
    let resolver = Arc::new(Fixed::new(ports));
    let certificates = certificates(folder)?;
    let upstreams = Upstreams::new(CALLER.parse()?, resolver, certificates, Metrics::new(), LiveTuning::default());
    Ok(BenchClient::over(upstreams.upstream(BENCH)?))
}

/// Calls on a user's account, as the edge vouches for it: it holds for a minute. One in a hundred is
/// of a trace that is recorded.
pub(crate) fn calls(folder: &Path) -> anyhow::Result<Vec<Call>> {
    let tenant = TenantId(Uuid::now_v7());
    let roles = Arc::from(["customer".to_owned()]);
    let principal = Principal::User(User { id: Uuid::now_v7(), tenant, session: Uuid::now_v7(), roles, epoch: 1 });
    let signer = AssertionSigner::new(super::certificates(folder)?, EDGE.parse()?);
    let now = Utc::now();
    let authority = signer.sign(&principal, now + TimeDelta::hours(1), now)?;
    let call = |number| {
        let mut parts = CallBuilder::new(Clock::system());
        parts.trace.flags = u8::from(number == 0);
        parts.authority = Some(authority.clone());
        parts.scope = Scope::Tenant(tenant);
        parts.principal = principal.clone();
        parts.build()
    };
    Ok((0..100).map(call).collect())
}
