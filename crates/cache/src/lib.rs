//! What several processes remember together for a while: caches, short-lived entries, counters.
//!
//! # Problem
//!
//! Answers that are asked for again and again cost the database; sessions, presence and rate limits
//! must be known to all processes at once. The memory that they share can be lost at any moment, and
//! what it says can be older than the database.
//!
//! # Rule
//!
//! Three things, each in process ([`InProcess`]) or in Redis ([`Redis`]), with the same behaviour:
//!
//! - [`Cache`]: what the source of truth said, for a time. Absence is remembered too, and concurrent
//!   loads of one key are one load. Whoever changes the source calls [`Cache::invalidate`] after the
//!   commit, by event or directly; a load that was under way meanwhile cannot write back what it read.
//! - [`Ephemeral`]: entries that have no other home and live for a stated time, such as sessions and
//!   presence. An update cannot revive what was removed.
//! - [`Counters`]: rate limits, counted atomically (the generic cell rate algorithm).
//!
//! And one in Redis alone, for what concerns several processes only: [`Marks`], which only rise, such as how far somebody has
//! written.
//!
//! No entry is reached without its [`weft_call::TenantId`]. Nothing here is the only record of what
//! must not be lost: a server that runs full or restarts forgets. Idempotency records are in the store.
//!
//! # Recovery
//!
//! Redis lost means slower, never wrong:
//!
//! - [`Cache::get`] loads from the source, still once for all callers of this process.
//! - [`Cache::invalidate`] fails with [`CacheError::Unavailable`] and has to be repeated: an event
//!   handler that returns the error is called again. Until then a shared entry may be as old as its
//!   time to live.
//! - [`Ephemeral`], [`Counters`] and [`Marks`] fail with [`CacheError::Unavailable`] and leave it to their caller
//!   what that means: without its session nobody is let in; a limit may be waived or not.
//!
//! A Redis that fails is left alone for a moment, so that calls do not wait for it one by one; one
//! line is logged when it is lost and one when it is back.
//!
//! Redis is one server, the primary that Sentinels name, or a cluster, where every operation touches a single key.
//! A failover to a replica that lags behind can bring back an entry that was removed: what must stay
//! revoked even then needs an authority in the store as well.

mod cache;
mod codec;
mod counters;
mod entries;
mod ephemeral;
mod error;
mod flight;
mod in_process;
mod key;
mod lifetime;
mod marks;
mod rate;
mod redis;

pub use cache::{Cache, CachePolicy};
pub use codec::{Codec, CodecError, Json, Protobuf};
pub use counters::{CounterKey, CounterScope, Counters, Taken};
pub use entries::{Answer, CacheEntries, Claim, EphemeralEntries, Generation, Outcome};
pub use ephemeral::Ephemeral;
pub use error::CacheError;
pub use in_process::InProcess;
pub use key::EntryKey;
pub use marks::{MarkKey, Marks};
pub use rate::{Rate, RateError};
pub use redis::Redis;
