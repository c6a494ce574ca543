//! One seed: its world is built, driven to its end, and judged.

use std::{sync::Arc, time::Duration};

use weft_discovery::Endpoint;
use weft_workload_identity::CertificateSource;

use crate::{
    caller,
    faults::Faults,
    history::{self, Entry},
    invariants::{self, Evidence},
    registry::Registry,
    sabotage::Sabotage,
    scenario::{END, Scenario},
    server,
    world::World,
};

/// How far time moves at once; messages arrive at its multiples.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// What a packet takes, at least and at most.
pub(crate) const FASTEST: Duration = Duration::from_millis(1);
pub(crate) const SLOWEST: Duration = Duration::from_millis(12);

/// What became of a seed.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What was to break, in words.
    pub schedule: String,
    /// What did not hold, in words; empty if all did.
    pub violations: Vec<String>,
    /// Everything that happened, a line each.
    pub log: Vec<String>,
    /// Calls that callers made.
    pub calls: usize,
    /// Calls that failed for their callers.
    pub failed: usize,
    /// Attempts that reached a server beyond the first of their call.
    pub repeats: usize,
    /// A number that two runs share only if the same happened in both.
    pub digest: u64,
}

/// Runs the world of a seed to its end. The same seed gives the same history each time.
pub fn run(seed: u64, sabotage: Option<Sabotage>, certificates: &Arc<dyn CertificateSource>) -> Verdict {
    // The transport draws endpoints and pauses from this thread's generator.
    fastrand::seed(seed);
    let scenario = Scenario::of(seed);
    let registry = Registry::new((0..scenario.servers()).map(endpoint));
    let world = Arc::new(World::new(scenario, sabotage, registry, Arc::clone(certificates)));
    let failure = drive(&world).err().map(|error| format!("the simulation failed: {error}"));
    let entries = world.history.take();
    let evidence = Evidence::of(&world.scenario, &entries);
    let violations = failure.into_iter().chain(invariants::check(&evidence)).collect();
    Verdict {
        seed,
        schedule: world.scenario.to_string(),
        violations,
        calls: evidence.calls.len(),
        failed: evidence.failed(),
        repeats: evidence.repeats(),
        digest: history::digest(&entries),
        log: entries.iter().map(Entry::to_string).collect(),
    }
}

/// The endpoint of a server.
pub(crate) fn endpoint(index: usize) -> Endpoint {
    Endpoint::new(server::name(index), server::PORT)
}

fn drive(world: &Arc<World>) -> turmoil::Result {
    let mut sim = turmoil::Builder::new()
        .rng_seed(world.scenario.seed)
        .tick_duration(TICK)
        .simulation_duration(END + Duration::from_secs(10))
        .min_message_latency(FASTEST)
        .max_message_latency(SLOWEST)
        .tcp_capacity(1024)
        .build();
    for index in 0..world.servers.len() {
        let world = Arc::clone(world);
        sim.host(server::name(index), move || server::process(Arc::clone(&world), index));
    }
    for index in 0..world.callers.len() {
        sim.client(caller::name(index), caller::process(Arc::clone(world), index));
    }
    let mut faults = Faults::of(world);
    loop {
        world.history.set_now(sim.elapsed());
        faults.apply(world, &mut sim);
        world.advance_clocks(TICK);
        if sim.step()? {
            return Ok(());
        }
    }
}
