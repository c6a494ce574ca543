//! Breaks a mesh of real processes under load, and counts failed calls and doubled effects.
//!
//! Three replicas of catalog and of orders, auth and the edge run as `weft serve` processes of their
//! own: one PostgreSQL database under them, a real Consul agent between them, mounted certificates.
//! A client calls through the edge at a fixed rate, by REST and by gRPC, and sends no call twice. READ
//! and NATURAL calls go from the edge to a domain; KEYED ones place orders, for which orders calls
//! catalog. The edge is not killed; it and every domain's client find the replicas that answer.
//!
//! Meanwhile replicas are killed, stopped and restarted, Consul is lost and certificates are replaced. No
//! call may fail, no order that was answered may be missing, and no key may place two.
//!
//! Exit status: 0 if the promise was kept, 1 if it was broken, 2 if the run says nothing about it.

mod certificates;
mod cluster;
mod error;
mod load;
mod phases;
mod process;
mod report;
mod shop;

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Cluster, Plan},
    error::ProofError,
    load::{Load, Mixture, Progress},
    phases::{Pace, Phase},
    report::{Effects, Report},
    shop::Shop,
};

/// Breaks a mesh of real processes under load, and counts failed calls and doubled effects.
#[derive(Parser)]
#[command(args_override_self = true)]
struct Arguments {
    /// The weft binary.
    #[arg(long)]
    binary: PathBuf,
    /// An empty PostgreSQL database, as a superuser.
    #[arg(long)]
    database_url: String,
    /// What is done to the mesh, in this order; everything without it.
    #[arg(long, value_enum, value_delimiter = ',')]
    phases: Vec<Phase>,
    /// Calls a second.
    #[arg(long, default_value_t = 300)]
    rate: u32,
    /// Which calls are made.
    #[arg(long, value_enum, default_value_t = Mixture::All)]
    mixture: Mixture,
    /// How long nothing is done, in seconds.
    #[arg(long, default_value_t = 5)]
    steady: u64,
    /// How long replicas are stopped, in seconds.
    #[arg(long, default_value_t = 30)]
    frozen: u64,
    /// How long Consul is gone, in seconds.
    #[arg(long, default_value_t = 60)]
    consul_gone: u64,
    /// How long Consul is back before the run goes on, in seconds. An instance that the agent forgot registers
    /// again within 5 s; its callers doubt that nobody is there for 30 s.
    #[arg(long, default_value_t = 40)]
    consul_back: u64,
    /// How often one replica of each domain is killed.
    #[arg(long, default_value_t = 2)]
    kills: usize,
    /// How often a replica of orders hangs for a moment.
    #[arg(long, default_value_t = 5)]
    stutters: usize,
    /// How long the first leaves are valid, in seconds; long without it, unless they are rotated.
    #[arg(long)]
    first_life: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    let code = match run(arguments, &mut out).await {
        Ok(broken) if broken.is_empty() => 0,
        Ok(broken) => {
            for promise in &broken {
                // A closed stdout leaves nobody to tell.
                let _ = writeln!(out, "BROKEN: {promise}");
            }
            1
        }
        Err(error) => {
            let _ = writeln!(out, "proof-mesh: {error}");
            2
        }
    };
    ExitCode::from(code)
}

/// One run. Gives every broken promise in words.
async fn run(arguments: Arguments, out: &mut impl Write) -> Result<Vec<String>, ProofError> {
    const ROTATED: u64 = 45;
    const LASTING: u64 = 24 * 3600;
    let phases = if arguments.phases.is_empty() { Phase::ALL.to_vec() } else { arguments.phases };
    let rotates = phases.contains(&Phase::RotateLeaf);
    let life = arguments.first_life.unwrap_or(if rotates { ROTATED } else { LASTING });
    let plan = Plan {
        binary: arguments.binary,
        database_url: arguments.database_url.clone(),
        first_life: Duration::from_secs(life),
        sabotage: std::env::var("WEFT_SABOTAGE").ok(),
    };
    let pace = Pace {
        steady: Duration::from_secs(arguments.steady),
        frozen: Duration::from_secs(arguments.frozen),
        consul_gone: Duration::from_secs(arguments.consul_gone),
        consul_back: Duration::from_secs(arguments.consul_back),
        kills: arguments.kills,
        stutters: arguments.stutters,
    };
    let mut cluster = Cluster::start(plan).await?;
    let shop = Arc::new(Shop::open(cluster.edge()).await?);
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let load = Load { shop, progress: Arc::clone(&progress), mixture: arguments.mixture, rate: arguments.rate };
    let calls = tokio::spawn(load.run(stop.clone()));
    let mut done = Vec::new();
    for (index, phase) in phases.into_iter().enumerate() {
        progress.begin(index);
        done.push((phase, phase.strike(&mut cluster, &progress, &pace).await?));
        writeln!(out, "{phase:?}: done")?;
    }
    stop.cancel();
    let (made, wanted) = calls.await.map_err(|error| ProofError::Client(error.to_string()))?;
    let ended = progress.take();
    let effects = Effects::of(&ended, &arguments.database_url).await?;
    let report = Report::new(&done, &ended, &effects);
    writeln!(out, "{}", report.text)?;
    if made < wanted * 19 / 20 {
        return Err(ProofError::TooFewCalls { made, wanted });
    }
    Ok(report.broken)
}
