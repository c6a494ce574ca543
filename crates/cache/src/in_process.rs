//! Entries and counters in the memory of this process: a laptop, or a test.
//!
//! Rule: what was used last is kept, up to a bound on bytes and on number; what is forgotten is
//! loaded again, logged in again, or counted from zero. Each kind has a bound of its own, so that a
//! full cache costs no sessions. Time is monotonic.

mod cached;
mod counted;
mod ephemeral;

use std::{fmt, time::Duration};

use bytes::Bytes;
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::time::Instant;

use crate::EntryKey;

/// What the entries of one kind take at most, in bytes.
const BYTES: u64 = 64 * 1024 * 1024;

/// What an entry takes beside its key and value, roughly, in bytes.
const OVERHEAD: usize = 160;

/// Counters that are remembered.
const COUNTERS: u64 = 100_000;

/// Entries and counters of this process. Clones share them.
#[derive(Clone)]
pub struct InProcess {
    started: Instant,
    cached: Cache<EntryKey, cached::Slot>,
    ephemeral: Cache<EntryKey, Living<Bytes>>,
    /// When each bucket will be full, in microseconds after `started`.
    counted: Cache<EntryKey, u64>,
}

/// What is held until its time is over.
#[derive(Clone)]
struct Living<T> {
    what: T,
    until: Instant,
}

impl InProcess {
    /// Nothing is remembered yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            cached: bounded(cached::Slot::size),
            ephemeral: bounded(|entry: &Living<Bytes>| entry.what.len()),
            counted: Cache::builder().max_capacity(COUNTERS).eviction_policy(EvictionPolicy::lru()).build(),
        }
    }
}

impl<T> Living<T> {
    fn new(what: T, ttl: Duration) -> Self {
        Self { what, until: Instant::now() + ttl.clamp(crate::lifetime::SHORTEST, crate::lifetime::LONGEST) }
    }

    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }
}

impl Default for InProcess {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

fn bounded<V: Clone + Send + Sync + 'static>(size: impl Fn(&V) -> usize + Send + Sync + 'static) -> Cache<EntryKey, V> {
    let weigh = move |key: &EntryKey, value: &V| u32::try_from(OVERHEAD + key.as_str().len() + size(value)).unwrap_or(u32::MAX);
    // Least recently used: a mark of a miss must be let in, and what has expired leaves first.
    Cache::builder().max_capacity(BYTES).weigher(weigh).eviction_policy(EvictionPolicy::lru()).build()
}
