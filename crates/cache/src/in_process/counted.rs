//! Counters of this process.

use std::future::ready;

use futures_util::FutureExt;
use moka::ops::compute::Op;

use super::InProcess;
use crate::{Answer, CounterKey, Counters, Rate, Taken};

impl Counters for InProcess {
    fn take<'a>(&'a self, key: &'a CounterKey, rate: Rate) -> Answer<'a, Taken> {
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut taken = rate.taken(0);
        self.counted.entry_by_ref(key.entry()).and_compute_with(|full| {
            match rate.take(full.map_or(0, moka::Entry::into_value), now) {
                Ok(next) => {
                    taken = rate.taken(next - now);
                    Op::Put(next)
                }
                Err(wait) => {
                    taken = Taken::Wait(wait);
                    Op::Nop
                }
            }
        });
        ready(Ok(taken)).boxed()
    }
}
