//! The command line.

use std::{fmt, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

/// weft between domains, against bare tonic and against sidecars.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What this process is when it is not the one that measures.
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    /// Rounds; a figure is their median.
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: usize,
    /// How long each contender runs in each round.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// What to measure.
    #[arg(long, value_delimiter = ',', default_values_t = [Scenario::Stacks, Scenario::Sidecars, Scenario::Uneven])]
    pub(crate) only: Vec<Scenario>,
    /// Envoy's program.
    #[arg(long, default_value = "envoy")]
    pub(crate) envoy: PathBuf,
    /// The document whose section the report becomes.
    #[arg(long)]
    pub(crate) write: Option<PathBuf>,
}

/// The two ends of a call, each a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Serves, and tells the port.
    #[command(hide = true)]
    Serve {
        /// `peer::ServerSettings` as JSON.
        settings: String,
    },
    /// Calls as the lines on its standard input say.
    #[command(hide = true)]
    Call {
        /// `peer::ClientSettings` as JSON.
        settings: String,
    },
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// weft's stacks against bare tonic's.
    Stacks,
    /// weft against bare tonic between two Envoys.
    Sidecars,
    /// One endpoint is slow, one fails.
    Uneven,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stacks => "stacks",
            Self::Sidecars => "sidecars",
            Self::Uneven => "uneven",
        })
    }
}
