//! What a source of truth said, in this process.

use std::{future::ready, time::Duration};

use futures_util::FutureExt;
use moka::ops::compute::{CompResult, Op};

use super::{InProcess, Living};
use crate::{Answer, CacheEntries, Claim, EntryKey, Generation, Outcome, entries::CLAIM_LIFE};

/// An answer, or the mark of a miss.
pub(super) type Slot = Living<Claim>;

impl Slot {
    pub(super) fn size(&self) -> usize {
        match &self.what {
            Claim::Held(Outcome::Present(bytes)) => bytes.len(),
            Claim::Held(Outcome::Absent) | Claim::Missed(_) => 0,
        }
    }
}

impl InProcess {
    fn claim_now(&self, key: &EntryKey) -> Claim {
        if let Some(slot) = self.cached.get(key).filter(|slot| !slot.is_over()) {
            return slot.what;
        }
        let missed = Claim::Missed(Generation::new());
        let result = self.cached.entry_by_ref(key).and_compute_with(|entry| match entry {
            Some(entry) if !entry.value().is_over() => Op::Nop,
            Some(_) | None => Op::Put(Slot::new(missed.clone(), CLAIM_LIFE)),
        });
        result.into_entry().map_or(missed, |entry| entry.into_value().what)
    }

    fn fill_now(&self, key: &EntryKey, generation: Generation, outcome: Outcome, ttl: Duration) -> bool {
        let result = self.cached.entry_by_ref(key).and_compute_with(|entry| match entry {
            Some(entry) if entry.value().what == Claim::Missed(generation) && !entry.value().is_over() => {
                Op::Put(Slot::new(Claim::Held(outcome), ttl))
            }
            Some(_) | None => Op::Nop,
        });
        matches!(result, CompResult::ReplacedWith(_))
    }
}

impl CacheEntries for InProcess {
    fn claim<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Claim> {
        ready(Ok(self.claim_now(key))).boxed()
    }

    fn fill<'a>(&'a self, key: &'a EntryKey, generation: Generation, outcome: Outcome, ttl: Duration) -> Answer<'a, bool> {
        ready(Ok(self.fill_now(key, generation, outcome, ttl))).boxed()
    }

    fn invalidate<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, ()> {
        self.cached.entry_by_ref(key).and_compute_with(|_| Op::Remove);
        ready(Ok(())).boxed()
    }
}
