//! What is measured, and how contenders take turns.

pub(crate) mod sidecars;
pub(crate) mod stacks;
pub(crate) mod uneven;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use weft_access::EDGE;
use weft_workload_identity::{CertificateSource, DevelopmentCa};

use crate::{
    arguments::Arguments,
    collector::Collector,
    peer::{BENCH, CALLER, ClientSettings, Order, Outcome, ServerSettings, Stack, TRUST_DOMAIN},
    process::{Peer, Process, Processor},
};

/// What all scenarios share.
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) envoy: PathBuf,
    /// Who gives every process its certificate.
    pub(crate) authority: Arc<DevelopmentCa>,
    collector: Collector,
    certificates: PathBuf,
    _folder: TempDir,
}

/// One contender: a client, its servers, and what stands between them.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    client: Peer,
    servers: Vec<Peer>,
    between: Vec<Process>,
}

/// What a contender did in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) outcome: Outcome,
    /// Time on a processor of each kind of process, in seconds: client, servers, what stands between.
    pub(crate) processor: [f64; 3],
    /// Times that the servers asked for memory.
    pub(crate) server_allocations: u64,
}

// === impl Bench ===

impl Bench {
    pub(crate) fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let certificates = folder.path().join("ca");
        let authority = Arc::new(DevelopmentCa::open(&certificates, TRUST_DOMAIN.parse()?)?);
        for workload in [CALLER, BENCH, EDGE] {
            authority.identity(&workload.parse()?)?;
        }
        let Arguments { rounds, seconds, envoy, .. } = arguments;
        let collector = Collector::start()?;
        Ok(Self { rounds: *rounds, seconds: *seconds, envoy: envoy.clone(), authority, collector, certificates, _folder: folder })
    }

    /// The folder of the CA.
    pub(crate) fn certificates(&self) -> &Path {
        &self.certificates
    }

    /// A server of a stack, over mutual TLS or plain.
    pub(crate) fn server(&self, stack: Stack, tls: bool) -> ServerSettings {
        ServerSettings {
            stack,
            certificates: self.tls(tls),
            collector: self.collector.endpoint.clone(),
            work_millis: 0,
            fails: false,
        }
    }

    fn tls(&self, tls: bool) -> Option<PathBuf> {
        tls.then(|| self.certificates.clone())
    }

    /// Starts a client of the servers at `ports`.
    pub(crate) fn call(&self, stack: Stack, tls: bool, ports: Vec<u16>) -> anyhow::Result<Peer> {
        let settings = ClientSettings { stack, certificates: self.tls(tls), collector: self.collector.endpoint.clone(), ports };
        let mut client = Peer::start("call", &settings, Processor::Client)?;
        client.hear::<()>()?;
        Ok(client)
    }

    /// A client and its server with nothing between them, over mutual TLS.
    pub(crate) fn contender(&self, name: &'static str, stack: Stack) -> anyhow::Result<Contender> {
        let (server, port) = serve(&self.server(stack, true))?;
        let client = self.call(stack, true, vec![port])?;
        Ok(Contender { name, client, servers: vec![server], between: Vec::new() })
    }

    /// Lets contenders take turns, each with its own order, and gives their samples by round.
    pub(crate) fn contest(&self, contenders: &mut [(&mut Contender, Order)]) -> anyhow::Result<Vec<Vec<Sample>>> {
        for (contender, order) in contenders.iter_mut() {
            // Connections, caches and branch predictors are warm before anything counts.
            contender.run(Order { seconds: (self.seconds / 3.0).min(1.0), ..*order })?;
        }
        let mut samples = vec![Vec::new(); contenders.len()];
        for _ in 0..self.rounds {
            for (own, (contender, order)) in samples.iter_mut().zip(contenders.iter_mut()) {
                own.push(contender.run(*order)?);
            }
        }
        Ok(samples)
    }
}

/// Starts a server; gives the port that it listens on too.
pub(crate) fn serve(settings: &ServerSettings) -> anyhow::Result<(Peer, u16)> {
    let mut server = Peer::start("serve", settings, Processor::Server)?;
    let port = server.hear()?;
    Ok((server, port))
}

// === impl Contender ===

impl Contender {
    /// A client, its servers and what stands between them.
    pub(crate) fn new(name: &'static str, client: Peer, servers: Vec<Peer>, between: Vec<Process>) -> Self {
        Self { name, client, servers, between }
    }

    fn run(&mut self, order: Order) -> anyhow::Result<Sample> {
        self.server_allocations()?;
        let before = self.processor_times()?;
        let outcome: Outcome = self.client.ask(&order)?;
        let after = self.processor_times()?;
        let server_allocations = self.server_allocations()?;
        Ok(Sample { outcome, processor: std::array::from_fn(|kind| after[kind] - before[kind]), server_allocations })
    }

    /// The servers' allocations since they were asked last.
    fn server_allocations(&mut self) -> anyhow::Result<u64> {
        self.servers.iter_mut().map(|server| server.ask::<u64>(&())).sum()
    }

    fn processor_times(&self) -> anyhow::Result<[f64; 3]> {
        let sum = |processes: &mut dyn Iterator<Item = &Process>| {
            processes.map(|process| Ok(process.processor_time()?.as_secs_f64())).sum::<anyhow::Result<f64>>()
        };
        Ok([
            sum(&mut [self.client.process()].into_iter())?,
            sum(&mut self.servers.iter().map(Peer::process))?,
            sum(&mut self.between.iter())?,
        ])
    }

    /// The memory that the client and the servers hold, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<[u64; 2]> {
        let servers = self.servers.iter().map(|server| server.process().memory());
        Ok([self.client.process().memory()?, servers.sum::<anyhow::Result<u64>>()?])
    }
}

// === impl Sample ===

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
impl Sample {
    /// Calls for each second that any of the processes was on a processor.
    pub(crate) fn rate(&self) -> f64 {
        self.outcome.calls as f64 / self.processor.iter().sum::<f64>()
    }

    /// Microseconds on a processor for each call, by kind of process.
    pub(crate) fn cost(&self, kind: usize) -> f64 {
        self.processor[kind] * 1e6 / self.outcome.calls as f64
    }

    /// Allocations for each call, of the client and of the servers.
    pub(crate) fn allocations(&self) -> [f64; 2] {
        [self.outcome.allocations, self.server_allocations].map(|count| count as f64 / self.outcome.calls as f64)
    }

    /// The share of calls that succeeded, in percent.
    pub(crate) fn success(&self) -> f64 {
        100.0 - self.outcome.failed as f64 * 100.0 / self.outcome.calls as f64
    }
}

/// The median of what the rounds gave.
pub(crate) fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let mut figures: Vec<_> = samples.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Fails if a call failed where none may.
pub(crate) fn demand_success(name: &str, samples: &[Sample]) -> anyhow::Result<()> {
    let failed: u64 = samples.iter().map(|sample| sample.outcome.failed).sum();
    let failure = samples.iter().find_map(|sample| sample.outcome.failure.as_deref());
    failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!("{failed} calls of {name} failed: {failure}")))
}
