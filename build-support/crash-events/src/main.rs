//! Kills processes amid events and counts what was lost, doubled or swapped.
//!
//! A process changes the records of one domain and publishes an event with each change; others relay;
//! others handle, each event by a change in another domain. All of them, the carrier and the database are
//! killed at random and started again. Afterwards every change that was answered is there, every change has
//! exactly one effect, each key's effects are in the order of its changes, and what was rolled back was
//! never seen.
//!
//! Exit status: 0 if the promises were kept, 1 if one was broken, 2 if the run says nothing about them.

mod audit;
mod carrier;
mod database;
mod drive;
mod error;
mod records;
mod worker;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};

use crate::{carrier::CarrierKind, error::CrashError};

/// Kills processes amid events and counts what was lost, doubled or swapped.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// An empty PostgreSQL database; SQLite, and all work in one process, without it.
    #[arg(long)]
    pub(crate) database_url: Option<String>,
    /// Restarts PostgreSQL as a crash does; a command for bash.
    #[arg(long)]
    pub(crate) restart_postgres: Option<String>,
    /// How many changes are made, each with its event.
    #[arg(long, default_value_t = 600)]
    pub(crate) changes: usize,
    /// How often something is killed.
    #[arg(long, default_value_t = 15)]
    pub(crate) kills: usize,
    /// How long effects may be awaited after the last change, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) patience: u64,
    /// Repeats the moments of an earlier run, as far as a scheduler lets moments repeat.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// What a process that this one has started does.
    #[arg(long, hide = true, value_enum)]
    pub(crate) role: Option<Role>,
    /// Where it keeps its files.
    #[arg(long, hide = true, default_value = ".")]
    pub(crate) folder: PathBuf,
    /// What carries events between processes, if there is a database that they share.
    #[arg(long, value_enum, default_value_t = CarrierKind::Redis)]
    pub(crate) carrier: CarrierKind,
    /// The carrier's address; in process without it.
    #[arg(long, hide = true)]
    pub(crate) carrier_url: Option<String>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Changes records, and publishes.
    Publish,
    /// Relays.
    Relay,
    /// Handles.
    Consume,
    /// All of these.
    All,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    let outcome = match arguments.role {
        Some(role) => worker::run(role, &arguments).await.map(|()| Vec::new()),
        None => drive::run(&arguments, &mut out).await,
    };
    // A closed stdout leaves nobody to tell.
    let code = match outcome {
        Ok(broken) if broken.is_empty() => 0,
        Ok(broken) => {
            for promise in broken.iter().take(10) {
                let _ = writeln!(out, "BROKEN: {promise}");
            }
            let _ = writeln!(out, "{} broken promises", broken.len());
            1
        }
        Err(error) => {
            let _ = writeln!(out, "crash: {error}");
            2
        }
    };
    ExitCode::from(code)
}

/// The result of a step of the run.
pub(crate) type Result<T, E = CrashError> = std::result::Result<T, E>;
