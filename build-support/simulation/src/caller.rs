//! A caller's process: the real client stack, and a stream of calls of every class.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;
use weft_access::{AssertionError, AssertionSigner, EDGE};
use weft_call::{Assertion, Call, CallBuilder, Clock, Deadline, IdempotencyKey, Principal, ServiceAccount, TenantId, Upstream};
use weft_discovery::Resolver;
use weft_telemetry::Metrics;
use weft_transport::{TransportError, Upstreams};
use weft_workload_identity::WorkloadName;

use crate::{
    calling::Calling,
    history::Process,
    ledger::{self, Operation},
    network::SimulatedDialer,
    registry::Registry,
    run::endpoint,
    sabotage::Sabotage,
    scenario::{END, LAST_CALL, MENDED},
    world::World,
};

/// Between two calls on average, while things break and afterwards.
const STORM_PACE: Duration = Duration::from_millis(50);
const CALM_PACE: Duration = Duration::from_millis(100);
/// An assertion is renewed at this age, as the edge renews it with each request.
const RENEWED: TimeDelta = TimeDelta::seconds(20);

/// A caller's host name.
pub(crate) fn name(index: usize) -> String {
    format!("caller-{index}")
}

/// The process: calls until there is no more time for it, and waits for the answers.
pub(crate) async fn process(world: Arc<World>, index: usize) -> turmoil::Result {
    let upstreams = upstreams(&world)?;
    let mut authority = Authority::new(&world, index)?;
    let mut calls = JoinSet::new();
    for turn in 0.. {
        let pace = if world.history.now() < MENDED { STORM_PACE } else { CALM_PACE };
        sleep(pace.mul_f64(0.5 + fastrand::f64())).await;
        if world.history.now() >= LAST_CALL {
            break;
        }
        let call = authority.call()?;
        let (world, upstream) = (Arc::clone(&world), Arc::clone(&upstreams[turn % upstreams.len()]));
        calls.spawn(async move { make(&world, &*upstream, index, call).await });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    sleep(END.saturating_sub(world.history.now())).await;
    Ok(())
}

/// The ways to the ledger: one, over all endpoints; or one each, for a caller that does not balance.
fn upstreams(world: &World) -> Result<Vec<Arc<dyn Upstream>>, Box<dyn std::error::Error>> {
    let over = |registry: Arc<dyn Resolver>| -> Result<_, Box<dyn std::error::Error>> {
        let own: WorkloadName = ledger::CALLER.parse().map_err(TransportError::from)?;
        let certificates = Arc::clone(&world.certificates);
        let (dialer, metrics) = (Arc::new(SimulatedDialer), Metrics::new());
        let upstreams = Upstreams::over(dialer, own, registry, certificates, metrics, world.live_tuning()?);
        Ok(upstreams.upstream(ledger::DOMAIN)?)
    };
    if world.is(Sabotage::BlindBalancing) {
        let one = |server| over(Arc::new(Registry::new([endpoint(server)])));
        return (0..world.servers.len()).map(one).collect();
    }
    Ok(vec![over(Arc::clone(&world.registry) as _)?])
}

/// Makes a call of some class. A payment that failed is sent once more under its key, as a user would.
async fn make(world: &World, upstream: &dyn Upstream, index: usize, call: CallBuilder) {
    let operation = match fastrand::u8(0..10) {
        0..4 => Operation::Get,
        4..6 => Operation::Set,
        6..8 => Operation::Pay,
        8 => Operation::Append,
        _ => Operation::Relay,
    };
    let calling = Calling { by: Process::Caller(index), operation, parent: None };
    let mut call = call;
    if operation == Operation::Pay {
        call.idempotency_key = IdempotencyKey::parse(&world.history.fresh_id().to_string()).ok();
    }
    let call: Call = call.build();
    // Some callers have less time than the contract gives.
    let hurried = fastrand::u8(0..4) == 0;
    let limit = Duration::from_millis(if hurried { fastrand::u64(60..=400) } else { 10_000 });
    let first = calling.send(world, upstream, &call.by(Deadline::after(limit))).await;
    if first.is_err() && operation == Operation::Pay && world.history.now() < LAST_CALL {
        // What becomes of it is in the history.
        let _ = calling.send(world, upstream, &call).await;
    }
}

/// On whose account the calls are made, as the edge vouches for it by this host's clock.
struct Authority {
    signer: AssertionSigner,
    clock: Clock,
    principal: Principal,
    signed: Option<(chrono::DateTime<chrono::Utc>, Assertion)>,
}

impl Authority {
    fn new(world: &World, index: usize) -> Result<Self, TransportError> {
        let signer = AssertionSigner::new(Arc::clone(&world.certificates), EDGE.parse()?);
        let tenant = TenantId(Uuid::from_u128(1));
        let principal =
            Principal::ServiceAccount(ServiceAccount { id: Uuid::from_u128(2), tenant, roles: Arc::from([]), epoch: 0 });
        Ok(Self { signer, clock: world.callers[index].clone(), principal, signed: None })
    }

    /// A call that carries a good assertion.
    fn call(&mut self) -> Result<CallBuilder, AssertionError> {
        let now = self.clock.now();
        let assertion = match &self.signed {
            Some((at, assertion)) if now < *at + RENEWED => assertion.clone(),
            _ => {
                let assertion = self.signer.sign(&self.principal, now + TimeDelta::hours(1), now)?;
                self.signed.insert((now, assertion)).1.clone()
            }
        };
        let mut call = CallBuilder::new(self.clock.clone());
        call.authority = Some(assertion);
        Ok(call)
    }
}
