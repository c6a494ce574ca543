//! Short-lived values in this process.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use moka::ops::compute::{CompResult, Op};

use super::{InProcess, Living};
use crate::{Answer, EntryKey, EphemeralEntries};

impl InProcess {
    /// Changes the value that lives under the key, if any, to what `change` makes of it; says whether
    /// it did.
    fn change(&self, key: &EntryKey, change: impl FnOnce(Option<&Bytes>) -> Op<Living<Bytes>>) -> bool {
        let result = self.ephemeral.entry_by_ref(key).and_compute_with(|entry| {
            change(entry.as_ref().map(moka::Entry::value).filter(|value| !value.is_over()).map(|value| &value.what))
        });
        match result {
            CompResult::Inserted(_) | CompResult::ReplacedWith(_) | CompResult::Removed(_) => true,
            CompResult::StillNone(_) | CompResult::Unchanged(_) => false,
        }
    }
}

impl EphemeralEntries for InProcess {
    fn get<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Option<Bytes>> {
        let held = self.ephemeral.get(key).filter(|value| !value.is_over());
        ready(Ok(held.map(|value| value.what))).boxed()
    }

    fn insert<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool> {
        let inserted = self.change(key, |held| match held {
            None => Op::Put(Living::new(value, ttl)),
            Some(_) => Op::Nop,
        });
        ready(Ok(inserted)).boxed()
    }

    fn replace<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool> {
        let replaced = self.change(key, |held| match held {
            Some(_) => Op::Put(Living::new(value, ttl)),
            None => Op::Nop,
        });
        ready(Ok(replaced)).boxed()
    }

    fn touch<'a>(&'a self, key: &'a EntryKey, ttl: Duration) -> Answer<'a, bool> {
        let touched = self.change(key, |held| match held {
            Some(value) => Op::Put(Living::new(value.clone(), ttl)),
            None => Op::Nop,
        });
        ready(Ok(touched)).boxed()
    }

    fn remove<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, bool> {
        let removed = self.change(key, |held| match held {
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
        ready(Ok(removed)).boxed()
    }
}
