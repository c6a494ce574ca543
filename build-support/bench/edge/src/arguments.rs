//! The command line.

use std::{fmt, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

/// The edge alone against Envoy and grpc-gateway.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What this process is when it is not the one that measures.
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    /// Rounds; a figure is their median.
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: usize,
    /// How long each contender runs in each round.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// What to measure.
    #[arg(long, value_delimiter = ',', default_values_t = [Scenario::Throughput, Scenario::Latency, Scenario::Held])]
    pub(crate) only: Vec<Scenario>,
    /// Who is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [Who::Envoy, Who::Weft, Who::Bare, Who::Gateway])]
    pub(crate) who: Vec<Who>,
    /// Of the loads, those whose names hold this.
    #[arg(long, default_value = "")]
    pub(crate) load: String,
    /// Envoy's program.
    #[arg(long, default_value = "envoy")]
    pub(crate) envoy: PathBuf,
    /// The program of a gateway made of grpc-gateway.
    #[arg(long, default_value = "bench-grpc-gateway")]
    pub(crate) gateway: PathBuf,
    /// The document whose section the report becomes.
    #[arg(long)]
    pub(crate) write: Option<PathBuf>,
}

/// What a process of this program can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The server behind the proxies.
    #[command(hide = true)]
    Upstream,
    /// The edge alone.
    #[command(hide = true)]
    Weft {
        /// The schema.
        descriptors: PathBuf,
        /// The server's port.
        upstream: u16,
    },
    /// A proxy that does nothing but what cannot be left out.
    #[command(hide = true)]
    Bare {
        /// The server's port.
        upstream: u16,
    },
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Requests for each second on a processor.
    Throughput,
    /// Times of answers.
    Latency,
    /// Many connections and streams at once.
    Held,
}

/// A contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// Envoy with its transcoder.
    Envoy,
    /// The edge alone.
    Weft,
    /// The bare proxy.
    Bare,
    /// grpc-gateway.
    Gateway,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Held => "held",
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envoy => "envoy",
            Self::Weft => "weft",
            Self::Bare => "bare",
            Self::Gateway => "gateway",
        })
    }
}
