//! What a backend does with entries.
//!
//! Problem: a reader that misses loads a value, is delayed, and writes it back after somebody changed
//! the source and removed the entry; the old value would then stay. Rule: a miss leaves a mark under
//! the key, a [`Generation`] that occurs once; whoever misses while it is there shares it, and only
//! while it is there can the entry be filled. Removing the entry removes the mark. A mark that is lost
//! by any other way (it expires, is evicted, or the server restarts) costs one fill and no truth.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{CacheError, EntryKey};

/// How long a load may take and still be written back.
pub(crate) const CLAIM_LIFE: Duration = Duration::from_secs(30);

/// The largest value that is kept, in bytes as encoded.
pub(crate) const VALUE_LIMIT: usize = 1024 * 1024;

/// What a backend will have said.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, CacheError>>;

/// The mark of a miss. No two are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation([u8; 16]);

/// What the source said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such thing.
    Absent,
    /// The encoded value.
    Present(Bytes),
}

/// What a cache holds under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What the source said.
    Held(Outcome),
    /// Nothing yet; who loads it now may fill it under this generation.
    Missed(Generation),
}

/// Keeps what a source of truth said.
pub trait CacheEntries: Send + Sync + 'static {
    /// What is held, or the generation of its absence.
    fn claim<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Claim>;

    /// Keeps `outcome` for `ttl` if nobody removed the entry since `generation`; says whether it did.
    fn fill<'a>(&'a self, key: &'a EntryKey, generation: Generation, outcome: Outcome, ttl: Duration) -> Answer<'a, bool>;

    /// Removes what is held, and keeps out what is being loaded.
    fn invalidate<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, ()>;
}

/// Keeps values that have no other home for a stated time.
pub trait EphemeralEntries: Send + Sync + 'static {
    /// The value, if its time is not over and nobody removed it.
    fn get<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Option<Bytes>>;

    /// Keeps a value where there is none; says whether it did.
    fn insert<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool>;

    /// Changes a value where there is one; says whether it did.
    fn replace<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool>;

    /// Lets a value live for `ttl` from now; says whether there is one.
    fn touch<'a>(&'a self, key: &'a EntryKey, ttl: Duration) -> Answer<'a, bool>;

    /// Removes a value; says whether there was one.
    fn remove<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, bool>;
}

impl Generation {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({})", Uuid::from_bytes(self.0).simple())
    }
}
