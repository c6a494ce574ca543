//! What a source of truth said, in Redis. The first byte says what it is: a miss (with its
//! generation), an absence, or a value.

use std::time::Duration;

use bytes::Bytes;
use redis::{AsyncCommands, Script};

use super::Redis;
use crate::{Answer, CacheEntries, CacheError, Claim, EntryKey, Generation, Outcome, entries::CLAIM_LIFE, lifetime::millis};

const MISSED: u8 = b'?';
const ABSENT: u8 = b'-';
const PRESENT: u8 = b'+';

/// Leaves the mark of a miss, unless somebody left something meanwhile.
pub(super) fn claim_script() -> Script {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
        if held then return held end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return ARGV[1]",
    )
}

/// Replaces the mark of a miss, if it is still the same.
pub(super) fn fill_script() -> Script {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return 1",
    )
}

impl Redis {
    async fn claim_entry(&self, key: &EntryKey) -> Result<Claim, CacheError> {
        // A hit is a plain read; only a miss needs a script.
        let held: Option<Vec<u8>> = self.ask(|mut redis| async move { redis.get(key.as_str()).await }).await?;
        if let Some(held) = held {
            return read(held);
        }
        let mark = mark(Generation::new());
        let held = self.ask(|mut redis| async move {
            let mut call = self.scripts.claim.key(key.as_str());
            call.arg(&mark[..]).arg(millis(CLAIM_LIFE)).invoke_async(&mut redis).await
        });
        read(held.await?)
    }
}

impl CacheEntries for Redis {
    fn claim<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Claim> {
        Box::pin(self.claim_entry(key))
    }

    fn fill<'a>(&'a self, key: &'a EntryKey, generation: Generation, outcome: Outcome, ttl: Duration) -> Answer<'a, bool> {
        Box::pin(self.ask(move |mut redis| async move {
            let mut call = self.scripts.fill.key(key.as_str());
            call.arg(&mark(generation)[..]).arg(&written(&outcome)[..]).arg(millis(ttl)).invoke_async(&mut redis).await
        }))
    }

    fn invalidate<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, ()> {
        Box::pin(self.ask(move |mut redis| async move { redis.del(key.as_str()).await }))
    }
}

fn mark(generation: Generation) -> [u8; 17] {
    let mut mark = [MISSED; 17];
    mark[1..].copy_from_slice(generation.as_bytes());
    mark
}

fn written(outcome: &Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Absent => vec![ABSENT],
        Outcome::Present(value) => [&[PRESENT], &value[..]].concat(),
    }
}

fn read(held: Vec<u8>) -> Result<Claim, CacheError> {
    let held = Bytes::from(held);
    match held.first() {
        Some(&PRESENT) => Ok(Claim::Held(Outcome::Present(held.slice(1..)))),
        Some(&ABSENT) if held.len() == 1 => Ok(Claim::Held(Outcome::Absent)),
        Some(&MISSED) => {
            let generation = held[1..].try_into().map_err(|_| CacheError::Foreign)?;
            Ok(Claim::Missed(Generation::from_bytes(generation)))
        }
        Some(_) | None => Err(CacheError::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        for outcome in [Outcome::Absent, Outcome::Present(Bytes::new()), Outcome::Present(Bytes::from_static(b"?-+"))] {
            assert_eq!(read(written(&outcome)).ok(), Some(Claim::Held(outcome)));
        }
        let generation = Generation::new();
        assert_eq!(read(mark(generation).to_vec()).ok(), Some(Claim::Missed(generation)));
    }

    #[test]
    fn what_somebody_else_wrote_is_no_entry() {
        for held in [&b""[..], b"hello", b"?short", b"-more", &[b'?'; 18]] {
            assert!(matches!(read(held.to_vec()), Err(CacheError::Foreign)), "{held:?}");
        }
    }
}
