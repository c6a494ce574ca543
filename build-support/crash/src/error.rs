//! Why a run says nothing about the promise.

use std::path::PathBuf;

/// Why a run says nothing about the promise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrashError {
    /// A file or pipe could not be had.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// There is no port for the edge.
    #[error("{0}")]
    Port(#[from] weft_test_ports::TestPortsError),
    /// The binary could not be run.
    #[error("{binary} could not be run: {source}")]
    Run { binary: PathBuf, source: std::io::Error },
    /// The process could not be stopped or killed.
    #[error("the process could not be signalled: {0}")]
    Signal(#[from] rustix::io::Errno),
    /// The process ended though nobody killed it.
    #[error("the process ended by itself")]
    EndedByItself,
    /// The binary does not list its domains as JSON.
    #[error("`weft routes --json` gave no list of domains: {0}")]
    Routes(String),
    /// The database could not be asked for open transactions.
    #[error("the database could not be asked for open transactions: {0}")]
    Database(#[from] sqlx::Error),
    /// A request was refused for a reason that no kill explains.
    #[error("{request} was refused: {answer}")]
    Refused { request: String, answer: String },
    /// A request was sent again and again, and never answered.
    #[error("{request} was not answered in time, the last attempt: {last}")]
    NoAnswer { request: String, last: String },
    /// An answer lacks something that the contract promises.
    #[error("an answer of {request} has no {field}")]
    Incomplete { request: String, field: &'static str },
    /// A client could not be built or its task ended early.
    #[error("a client failed: {0}")]
    Client(String),
    /// All orders were placed before all kills were made.
    #[error("only {made} of {planned} kills fitted between the orders; place more orders")]
    TooFewKills { made: usize, planned: usize },
    /// No kill cut a write transaction off.
    #[error("none of {0} kills struck inside an open write transaction")]
    NothingStruck(usize),
    /// Some of the above, after what the process logged last: whoever is shown the end only must see the error.
    #[error("the process logged last:\n{log}\n{error}")]
    Logged { error: Box<CrashError>, log: String },
}
