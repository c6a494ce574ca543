//! Why a run says nothing about the promises.

use std::{io, path::PathBuf};

/// Why a run says nothing about the promises.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrashError {
    #[error("a file, process or pipe failed: {0}")]
    Io(#[from] io::Error),
    #[error("a process cannot be stopped: {0}")]
    Signal(#[from] rustix::io::Errno),
    #[error("the store failed: {0:?}")]
    Call(#[from] weft_call::Error),
    #[error("the store cannot be opened: {0:?}")]
    Store(#[from] weft_store::StoreError),
    #[error("the database cannot be asked: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the carrier: {0}")]
    Carrier(#[from] weft_events::CarrierError),
    #[error("the pattern: {0}")]
    Pattern(#[from] weft_call::TopicPatternError),
    #[error("{0}")]
    Redis(#[from] weft_test_redis::TestRedisError),
    #[error("{0}")]
    CarrierServer(#[from] weft_test_carriers::TestCarrierError),
    #[error("the restart of PostgreSQL failed: {0}")]
    Restart(String),
    #[error("a process ended by itself; its log is {0:?}")]
    EndedByItself(PathBuf),
    #[error("only {made} of {planned} changes were made in time")]
    TooSlow { made: usize, planned: usize },
    #[error("of {0} kills none struck inside an open write transaction: the run says nothing")]
    NothingStruck(usize),
}
