//! Why a run says nothing about the mesh.

use std::path::PathBuf;

/// Why a run says nothing about the mesh.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    /// A file could not be had.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// There is no port for the edge.
    #[error("{0}")]
    Port(#[from] weft_test_ports::TestPortsError),
    /// The binary could not be run.
    #[error("{binary} could not be run: {source}")]
    Run { binary: PathBuf, source: std::io::Error },
    /// A process could not be signalled.
    #[error("{process} could not be signalled: {source}")]
    Signal { process: String, source: rustix::io::Errno },
    /// A process ended though nobody ended it, or did not get ready.
    #[error("{process} did not get ready; it logged last:\n{log}")]
    NotReady { process: String, log: String },
    /// A process did not end when it was asked to.
    #[error("{process} did not end within {seconds} s of SIGTERM")]
    DidNotEnd { process: String, seconds: u64 },
    /// `weft migrate` failed.
    #[error("weft migrate failed: {0}")]
    Migrate(String),
    /// There is no Consul agent.
    #[error("{0}")]
    Consul(#[from] weft_test_consul::TestConsulError),
    /// There is no Redis.
    #[error("{0}")]
    Redis(#[from] weft_test_redis::TestRedisError),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The database could not be asked.
    #[error("the database could not be asked: {0}")]
    Database(#[from] sqlx::Error),
    /// The load's client could not be built.
    #[error("the client could not be built: {0}")]
    Client(String),
    /// A request that prepares the shop was not answered with success.
    #[error("{request} failed before the load began: {answer}")]
    Unprepared { request: String, answer: String },
    /// The machine was too busy to make the calls that were asked for.
    #[error("only {made} of {wanted} calls were made in time: this machine is too busy to tell")]
    TooFewCalls { made: usize, wanted: usize },
}
