//! The command line.

use std::{fmt, path::PathBuf};

use clap::{Parser, ValueEnum};

/// Records and events against what they stand on.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Rounds; a figure is their median.
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: usize,
    /// How long each contender runs in each round.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// Events that are relayed in each round.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) events: usize,
    /// Rows that are paged through.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: i64,
    /// What to measure.
    #[arg(long, value_delimiter = ',', default_values_t = Part::ALL)]
    pub(crate) only: Vec<Part>,
    /// The document whose section the report becomes.
    #[arg(long)]
    pub(crate) write: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn has(&self, part: Part) -> bool {
        self.only.contains(&part)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A transaction, against raw sqlx.
    Store,
    /// A transaction that publishes, against the same without.
    Publish,
    /// A page far behind, against the first.
    Page,
    /// The relay, against the carriers' own clients.
    Relay,
    /// From a commit to the handler, at half load.
    Latency,
}

impl Part {
    const ALL: [Self; 5] = [Self::Store, Self::Publish, Self::Page, Self::Relay, Self::Latency];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Publish => "publish",
            Self::Page => "page",
            Self::Relay => "relay",
            Self::Latency => "latency",
        })
    }
}
