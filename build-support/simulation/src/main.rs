//! Runs simulated networks by their seeds.
//!
//!     weft-simulation --seeds 1000            many seeds, on all cores
//!     weft-simulation --seed 17               one seed, with its log
//!     weft-simulation --sabotage early-answer --seeds 5    with a guarantee broken on purpose
//!
//! Exit status: 0 if everything held, 1 if not, 2 if nothing could be run.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use clap::Parser;
use weft_simulation::{Sabotage, Verdict, run};
use weft_workload_identity::{CertificateSource, DevelopmentCa, IdentityError, SpiffeIdError};

/// Runs simulated networks by their seeds.
#[derive(Parser)]
struct Arguments {
    /// Runs this seed alone, and prints all that happens.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// How many seeds are run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Breaks a guarantee on purpose.
    #[arg(long)]
    sabotage: Option<Sabotage>,
}

/// What keeps a simulation from being run.
#[derive(Debug, thiserror::Error)]
enum SimulationError {
    /// No folder for the certificates, or nobody reads the results.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No name for the mesh.
    #[error(transparent)]
    TrustDomain(#[from] SpiffeIdError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout();
    match simulate(&arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // A closed stdout leaves nobody to tell.
            let _ = writeln!(out, "simulation: {error}");
            ExitCode::from(2)
        }
    }
}

fn simulate(arguments: &Arguments, out: &mut impl Write) -> Result<bool, SimulationError> {
    let folder = tempfile::tempdir()?;
    let authority = DevelopmentCa::open(&folder.path().join("ca"), "simulation.local".parse()?)?;
    let certificates: Arc<dyn CertificateSource> = Arc::new(authority);
    match arguments.seed {
        Some(seed) => one(seed, arguments.sabotage, &certificates, out),
        None => many(arguments, &certificates, out),
    }
}

/// One seed with its log, and the transport's own if `RUST_LOG` asks for it.
fn one(
    seed: u64,
    sabotage: Option<Sabotage>,
    certificates: &Arc<dyn CertificateSource>,
    out: &mut impl Write,
) -> Result<bool, SimulationError> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).without_time().init();
    let verdict = run(seed, sabotage, certificates);
    for line in &verdict.log {
        writeln!(out, "{line}")?;
    }
    report(&verdict, out)?;
    Ok(verdict.violations.is_empty())
}

fn report(verdict: &Verdict, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", verdict.schedule)?;
    for violation in &verdict.violations {
        writeln!(out, "  BROKEN: {violation}")?;
    }
    let Verdict { seed, calls, failed, repeats, digest, .. } = verdict;
    writeln!(out, "seed {seed}: {calls} calls, {failed} failed, {repeats} repeats, history {digest:016x}")
}

/// Many seeds, a thread a core.
fn many(arguments: &Arguments, certificates: &Arc<dyn CertificateSource>, out: &mut impl Write) -> Result<bool, SimulationError> {
    let (started, next) = (Instant::now(), AtomicU64::new(arguments.from));
    let end = arguments.from.saturating_add(arguments.seeds);
    let (sender, verdicts) = mpsc::channel();
    let (mut seeds, mut broken, mut calls, mut failed, mut repeats) = (0, 0, 0, 0, 0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || sender.send(run(seed, arguments.sabotage, certificates)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for verdict in verdicts {
            (seeds, calls, failed, repeats) =
                (seeds + 1, calls + verdict.calls, failed + verdict.failed, repeats + verdict.repeats);
            if !verdict.violations.is_empty() {
                broken += 1;
                report(&verdict, out)?;
                writeln!(out, "  again: cargo run -p weft-simulation -- --seed {}", verdict.seed)?;
            }
        }
        Ok::<_, io::Error>(())
    })?;
    writeln!(
        out,
        "{seeds} simulated networks, {broken} broke a promise; {calls} calls, {failed} failed, {repeats} repeats; {} s",
        started.elapsed().as_secs()
    )?;
    Ok(broken == 0 && seeds > 0)
}
