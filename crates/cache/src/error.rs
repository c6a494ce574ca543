//! What can go wrong with memory that is shared.

use std::path::PathBuf;

use crate::CodecError;

/// Why an entry or counter could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Redis cannot be reached, refuses, or did not answer in time. Whether a change was made is not known.
    #[error("Redis is unavailable")]
    Unavailable(#[source] redis::RedisError),
    /// Redis failed a moment ago and has not been asked again; nothing was changed.
    #[error("Redis was unavailable a moment ago")]
    LeftAlone,
    /// The address of Redis is none. What it says is not repeated: it may hold a password.
    #[error(
        "redis.url is no address such as redis://host:6379, redis+sentinel://host:26379/SERVICE or redis+cluster://host:6379"
    )]
    Address,
    /// The authorities that Redis is to be trusted by cannot be read.
    #[error("redis.ca: {} holds no certificates that can be read (PEM)", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
    },
    /// Authorities are named for a Redis that is not spoken to over TLS.
    #[error(
        "redis.ca goes with an address that begins with rediss: over redis:// nothing is encrypted, and nobody is asked who they are"
    )]
    NotOverTls,
    /// The name of a cache is none: it consists of a to z, 0 to 9, `.`, `_` and `-`.
    #[error("{0:?} is no name for a cache: use a to z, 0 to 9, '.', '_' and '-'")]
    Name(String),
    /// The key cannot be written as JSON.
    #[error("the key cannot be written as JSON")]
    Key(#[source] serde_json::Error),
    /// The value cannot be written, or what is held is not of its type.
    #[error("the entry cannot be encoded or decoded")]
    Value(#[from] CodecError),
    /// What is held under the key was not written by this crate.
    #[error("what Redis holds under the key is no entry")]
    Foreign,
    /// The value is larger than what an entry may hold.
    #[error("the value takes {size} bytes; an entry holds at most {limit}")]
    TooLarge {
        /// What it takes, in bytes.
        size: usize,
        /// What an entry holds at most, in bytes.
        limit: usize,
    },
}

impl CacheError {
    /// Whether Redis is lost, rather than the request being wrong.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::LeftAlone)
    }
}
