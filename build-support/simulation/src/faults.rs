//! Breaks and mends the simulated world as the schedule says.

use std::time::Duration;

use turmoil::Sim;
use weft_discovery::Endpoint;

use crate::{
    caller,
    history::Event,
    run::{FASTEST, SLOWEST, endpoint},
    scenario::{Fault, Planned},
    server::{self, PORT},
    world::World,
};

/// How long a flapping server works, and how long it fails.
const FLAP: Duration = Duration::from_millis(500);

/// Something to do at a moment.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: Duration,
    planned: Planned,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Begin,
    /// A flapping server changes its mind: it fails from now on, or works.
    Flap(bool),
    End,
}

/// The steps that are still to come, and what the registry would say.
pub(crate) struct Faults {
    /// The next one is last.
    steps: Vec<Step>,
    registered: Vec<bool>,
    is_registry_lost: bool,
    is_registry_empty: bool,
    is_registry_stale: bool,
}

impl Faults {
    pub(crate) fn of(world: &World) -> Self {
        let mut steps: Vec<Step> = world.scenario.faults.iter().flat_map(|planned| steps(*planned)).collect();
        steps.sort_by_key(|step| step.at);
        steps.reverse();
        Self {
            steps,
            registered: vec![true; world.servers.len()],
            is_registry_lost: false,
            is_registry_empty: false,
            is_registry_stale: false,
        }
    }

    /// Does what is due.
    pub(crate) fn apply(&mut self, world: &World, sim: &mut Sim<'_>) {
        while let Some(step) = self.steps.pop_if(|step| step.at <= world.history.now()) {
            world.history.record(Event::Schedule(format!("{:?}: {:?}", step.what, step.planned.fault)));
            let begins = match step.what {
                What::Begin => true,
                What::End => false,
                What::Flap(failing) => {
                    step.planned.fault.server().into_iter().for_each(|server| world.servers[server].set_failing(failing));
                    continue;
                }
            };
            self.network(step.planned.fault, begins, world, sim);
            self.processes(step.planned.fault, begins, world, sim);
            self.registry(step.planned.fault, begins, world);
        }
        for (server, orders) in world.servers.iter().enumerate() {
            // The process has exited: its connections end with it.
            if orders.take_drained() {
                sim.crash(server::name(server));
            }
        }
    }

    #[expect(clippy::unused_self, reason = "beside its two brothers, which need it")]
    fn network(&self, fault: Fault, begins: bool, world: &World, sim: &mut Sim<'_>) {
        let Some(server) = fault.server() else { return };
        let here = server::name(server);
        for peer in peers(world, server) {
            let (here, peer_name) = (here.as_str(), peer.as_str());
            match (fault, begins) {
                (Fault::Partition { .. }, true) => sim.partition(here, peer_name),
                (Fault::Partition { .. }, false) => sim.repair(here, peer_name),
                (Fault::OneLink { caller, .. }, true) if peer == caller::name(caller) => sim.partition(here, peer_name),
                (Fault::OneLink { caller, .. }, false) if peer == caller::name(caller) => sim.repair(here, peer_name),
                (Fault::Mute { .. }, true) => sim.partition_oneway(here, peer_name),
                (Fault::Mute { .. }, false) => sim.repair_oneway(here, peer_name),
                (Fault::HalfOpen { .. }, true) => sim.hold(here, peer_name),
                (Fault::HalfOpen { .. }, false) => sim.release(here, peer_name),
                (Fault::Lagging { by, .. }, true) => sim.set_link_latency(here, peer_name, by),
                (Fault::Lagging { .. }, false) => {
                    sim.set_link_latency(here, peer_name, FASTEST);
                    sim.set_link_max_message_latency(here, peer_name, SLOWEST);
                }
                _ => {}
            }
        }
    }

    fn processes(&mut self, fault: Fault, begins: bool, world: &World, sim: &mut Sim<'_>) {
        match fault {
            Fault::Failing { server } | Fault::Flapping { server } => world.servers[server].set_failing(begins),
            Fault::Full { server } => world.servers[server].set_full(begins),
            Fault::Slow { server, by } => world.servers[server].set_slower_by(if begins { by } else { Duration::ZERO }),
            Fault::Outage => world.servers.iter().for_each(|orders| orders.set_failing(begins)),
            Fault::Crashed { server } if begins => sim.crash(server::name(server)),
            Fault::Restarted { server } if begins => {
                self.registered[server] = false;
                world.servers[server].drain();
            }
            Fault::Crashed { server } | Fault::Restarted { server } => {
                self.registered[server] = true;
                sim.bounce(server::name(server));
            }
            _ => {}
        }
    }

    fn registry(&mut self, fault: Fault, begins: bool, world: &World) {
        match fault {
            Fault::RegistryLost => self.is_registry_lost = begins,
            Fault::RegistryEmpty => self.is_registry_empty = begins,
            Fault::RegistryStale => self.is_registry_stale = begins,
            Fault::RegistryForgot { server } => self.registered[server] = !begins,
            _ => {}
        }
        if self.is_registry_lost {
            return;
        }
        let live = self.registered.iter().enumerate().filter(|(_, registered)| **registered).map(|(server, _)| endpoint(server));
        let dead = self.is_registry_stale.then(|| Endpoint::new(server::name(0), PORT + 1));
        let named: Vec<_> = live.chain(dead).filter(|_| !self.is_registry_empty).collect();
        world.registry.publish(named);
    }
}

fn steps(planned: Planned) -> Vec<Step> {
    let step = |at, what| Step { at, planned, what };
    let mut steps = vec![step(planned.from, What::Begin), step(planned.to, What::End)];
    if matches!(planned.fault, Fault::Flapping { .. }) {
        let moments = (1..).map(|turn| planned.from + FLAP * turn).take_while(|at| *at < planned.to);
        steps.extend(moments.zip([false, true].into_iter().cycle()).map(|(at, failing)| step(at, What::Flap(failing))));
    }
    steps
}

/// Every host but the server.
fn peers(world: &World, server: usize) -> Vec<String> {
    let servers = (0..world.servers.len()).filter(|other| *other != server).map(server::name);
    servers.chain((0..world.callers.len()).map(caller::name)).collect()
}
