//! How contenders take turns.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    DESCRIPTORS,
    arguments::{Arguments, Who},
    contender::{self, Contender, Streams},
    load::{self, Answers, Pace},
    process::{Process, Processors},
    request::Load,
};

/// What all scenarios share.
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) who: Vec<Who>,
    /// Of the loads, those whose names hold this.
    pub(crate) load: String,
    pub(crate) envoy: PathBuf,
    pub(crate) gateway: PathBuf,
    pub(crate) processors: Processors,
    /// The port of the server behind.
    pub(crate) upstream: u16,
    /// The file of the schema.
    pub(crate) descriptors: PathBuf,
    /// In which the load runs.
    pub(crate) runtime: Runtime,
    _upstream: Process,
    folder: TempDir,
}

/// What a contender did in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) answers: Answers,
    /// The proxy's time on a processor, in seconds.
    pub(crate) processor: f64,
}

impl Bench {
    pub(crate) fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        contender::demand_programs(arguments)?;
        let processors = Processors::take()?;
        let folder = tempfile::tempdir()?;
        let descriptors = folder.path().join("echo.binpb");
        fs::write(&descriptors, DESCRIPTORS)?;
        let (process, upstream) = Process::own(&["upstream"], processors.rest)?;
        let Arguments { rounds, seconds, who, load, envoy, gateway, .. } = arguments;
        Ok(Self {
            rounds: *rounds,
            seconds: *seconds,
            who: who.clone(),
            load: load.clone(),
            envoy: envoy.clone(),
            gateway: gateway.clone(),
            processors,
            upstream,
            descriptors,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            _upstream: process,
            folder,
        })
    }

    /// For files that nobody needs afterwards.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts all contenders.
    pub(crate) fn contenders(&self) -> anyhow::Result<Vec<Contender>> {
        self.who.iter().map(|who| Contender::start(*who, self, Streams::Lines)).collect()
    }

    /// Lets those take turns that serve the load, and gives their samples by round; none of those that do not.
    pub(crate) fn contest(
        &self,
        contenders: &[Contender],
        load: &Load,
        connections: usize,
        pace: Pace,
    ) -> anyhow::Result<Vec<Vec<Sample>>> {
        let run = |contender: &Contender, seconds: f64| {
            let before = contender.process.processor_time()?;
            let running = load::run(contender.port, load, connections, pace, Duration::from_secs_f64(seconds));
            let answers = self.runtime.block_on(running).with_context(|| format!("{}: {}", contender.name, load.name))?;
            let processor = contender.process.processor_time()?.saturating_sub(before).as_secs_f64();
            anyhow::Ok(Sample { answers, processor })
        };
        for contender in contenders.iter().filter(|contender| contender.serves(load)) {
            self.runtime.block_on(contender.demand_answer(load))?;
            // Connections, caches and branch predictors are warm before anything counts.
            run(contender, (self.seconds / 3.0).min(1.0))?;
        }
        let mut samples = vec![Vec::new(); contenders.len()];
        for _ in 0..self.rounds {
            for (own, contender) in samples.iter_mut().zip(contenders) {
                if contender.serves(load) {
                    own.push(run(contender, self.seconds)?);
                }
            }
        }
        Ok(samples)
    }
}

impl Sample {
    /// Answers for each second that the proxy was on a processor.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    pub(crate) fn rate(&self) -> f64 {
        self.answers.count() as f64 / self.processor
    }
}

/// The median of what the rounds gave; not a number without rounds.
pub(crate) fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(figure).collect())
}

/// The median of the ratios round by round: what disturbed a round disturbed both.
pub(crate) fn median_ratio(own: &[Sample], base: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    middle(own.iter().zip(base).map(|(own, base)| figure(own) / figure(base)).collect())
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
