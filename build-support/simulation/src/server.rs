//! A server's process: the real server stack around a handler that does as the schedule says, and
//! writes down what reaches it.

use std::{future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::sleep;
use weft_access::{AssertionVerifier, CallerRules, ContractRoles, EDGE, RateLimits};
use weft_call::{
    BoxFuture, Call, CallBuilder, Code, Deadline, Error, MeshReason, MethodContract, NoReplays, Payload, Replays, Reply, Result,
    Service, ServiceContract, Upstream,
};
use weft_discovery::Resolver;
use weft_telemetry::Metrics;
use weft_transport::{Admission, Limits, Server, Upstreams};
use weft_workload_identity::WorkloadName;

use crate::{
    calling::Calling,
    history::{Event, History, Process},
    ledger::{self, Operation},
    network::{SimulatedDialer, SimulatedListener},
    sabotage::Sabotage,
    world::World,
};

/// Where every server listens.
pub(crate) const PORT: u16 = 9000;
/// A draining server cuts what is not done by then.
const DRAIN: Duration = Duration::from_secs(2);

/// A server's host name.
pub(crate) fn name(index: usize) -> String {
    format!("server-{index}")
}

/// The process: serves until it is told to drain, then exits.
pub(crate) async fn process(world: Arc<World>, index: usize) -> turmoil::Result {
    let (starts, stop) = world.servers[index].start();
    let own: WorkloadName = ledger::DOMAIN.parse()?;
    let tuning = world.live_tuning()?;
    let upstreams = Upstreams::over(
        Arc::new(SimulatedDialer),
        own,
        Arc::clone(&world.registry) as Arc<dyn Resolver>,
        Arc::clone(&world.certificates),
        Metrics::new(),
        tuning.clone(),
    );
    let onward = upstreams.upstream(ledger::DOMAIN)?;
    let edge: WorkloadName = EDGE.parse()?;
    let admission = Admission {
        rules: Arc::new(CallerRules::default()),
        roles: Arc::new(ContractRoles::of([])),
        limits: Arc::new(RateLimits::of([], &[])),
        assertions: Arc::new(AssertionVerifier::new(Arc::clone(&world.certificates), vec![edge])),
        clock: world.servers[index].clock.clone(),
        metrics: Metrics::new(),
    };
    let handler = Arc::new(Ledger(Arc::new(Handler { world: Arc::clone(&world), index, starts, onward })));
    let limits = Limits { drain: DRAIN, ..Limits::default() };
    let certificates = Arc::clone(&world.certificates);
    let (server, health) = Server::new(handler, Arc::new(NoReplays), admission, certificates, Metrics::new(), limits, tuning)?;
    health.set_serving(true).await;
    server.serve(SimulatedListener::bind(PORT).await?, stop).await;
    world.servers[index].set_drained();
    future::pending().await
}

/// The domain's handler.
struct Ledger(Arc<Handler>);

struct Handler {
    world: Arc<World>,
    index: usize,
    starts: u32,
    onward: Arc<dyn Upstream>,
}

impl Service for Ledger {
    fn contract(&self) -> &'static ServiceContract {
        &ledger::SERVICE
    }

    fn handle<'a>(
        &'a self,
        method: &'static MethodContract,
        call: Call,
        request: Payload,
        _: &'a dyn Replays,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        Box::pin(async move {
            let handler = Arc::clone(&self.0);
            let id = call_id(&request)?;
            let operation = Operation::of(method).ok_or_else(|| Error::new(MeshReason::MethodUnknown, method.path))?;
            let visit = Visit::begin(&handler.world.history, id, handler.index, call.deadline().map(Deadline::remaining));
            if handler.world.is(Sabotage::WorkOutlivesDeadline) {
                return tokio::spawn(handler.answer(visit, operation, call)).await.map_err(Error::internal)?;
            }
            handler.answer(visit, operation, call).await
        })
    }
}

impl Handler {
    async fn answer(self: Arc<Self>, mut visit: Visit, operation: Operation, call: Call) -> Result<Reply<Payload>> {
        let result = self.work(visit.call, operation, &call).await;
        visit.code = Some(result.as_ref().err().map_or(Code::Ok, Error::code));
        result.map(|()| Reply::new(Payload::Message(Bytes::new())))
    }

    async fn work(&self, id: u64, operation: Operation, call: &Call) -> Result<()> {
        let orders = &self.world.servers[self.index];
        if orders.is_failing() {
            return Err(Error::without_reason(Code::Unavailable, "the schedule has it fail"));
        }
        if orders.is_full() {
            return Err(Error::without_reason(Code::ResourceExhausted, "the schedule has it be full"));
        }
        sleep(Duration::from_millis(fastrand::u64(1..=5)) + orders.slower_by()).await;
        match operation {
            Operation::Get | Operation::Set | Operation::Append => Ok(()),
            Operation::Pay => self.pay(id, call),
            Operation::Relay => {
                sleep(Duration::from_millis(fastrand::u64(20..=60))).await;
                let apart = self.world.is(Sabotage::DeadlineNotPropagated);
                let onward = if apart { CallBuilder::new(orders.clock.clone()).build() } else { call.clone() };
                let by = Process::Server(self.index, self.starts);
                let calling = Calling { by, operation: Operation::Get, parent: Some(id) };
                calling.send(&self.world, &*self.onward, &onward).await
            }
        }
    }

    /// Makes the change of a key once.
    fn pay(&self, id: u64, call: &Call) -> Result<()> {
        let missing = || Error::invalid_field("idempotency-key", "must be a number");
        let key: u64 = call.idempotency_key().and_then(|key| key.as_str().parse().ok()).ok_or_else(missing)?;
        let is_new = self.world.paid().insert(key);
        if !is_new && !self.world.is(Sabotage::KeysIgnored) {
            return Ok(());
        }
        let (history, effect) = (self.world.history.clone(), Event::Effect { call: id, key });
        if self.world.is(Sabotage::EarlyAnswer) {
            tokio::spawn(async move {
                sleep(Duration::from_millis(200)).await;
                history.record(effect);
            });
        } else {
            history.record(effect);
        }
        Ok(())
    }
}

fn call_id(request: &Payload) -> Result<u64> {
    let wrong = || Error::invalid_field("call", "must be eight bytes");
    match request {
        Payload::Message(bytes) => bytes.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| wrong()),
        Payload::Stream(_) => Err(wrong()),
    }
}

/// One attempt at this server. It ends in the history even if the handler is cut.
struct Visit {
    history: History,
    call: u64,
    attempt: u64,
    code: Option<Code>,
}

impl Visit {
    fn begin(history: &History, call: u64, server: usize, left: Option<Duration>) -> Self {
        let attempt = history.fresh_id();
        history.record(Event::Received { call, attempt, server, left });
        Self { history: history.clone(), call, attempt, code: None }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.history.record(Event::Left { attempt: self.attempt, code: self.code });
    }
}
