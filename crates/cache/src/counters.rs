//! How often something may happen, counted by all processes together.

use std::time::Duration;

use serde::Serialize;
use weft_call::TenantId;

use crate::{
    Answer, CacheError, EntryKey, Rate,
    key::{Kind, check_name},
};

/// Whose a counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterScope {
    /// A tenant's.
    Tenant(TenantId),
    /// Nobody's: what is counted before a tenant is known (an address), or for all of them together.
    Mesh,
}

/// The key of a counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CounterKey(EntryKey);

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was, and it was taken.
    Yes {
        /// How many more there is room for at this moment.
        left: u64,
        /// When there will be room for a whole burst again.
        full_in: Duration,
    },
    /// There was none, and nothing was taken; there will be after this time.
    Wait(Duration),
}

/// Counts by the generic cell rate algorithm. When the shared memory is lost it fails with
/// [`CacheError::Unavailable`]: only the caller knows whether its limit may be waived.
pub trait Counters: Send + Sync + 'static {
    /// Takes one out of the bucket, or says how long to wait for it. Whoever uses a key must use the
    /// same rate; a changed rate holds from the next call on.
    fn take<'a>(&'a self, key: &'a CounterKey, rate: Rate) -> Answer<'a, Taken>;
}

impl CounterKey {
    /// The counter `name` (`<domain>.<what is counted>`) of a subject in a scope.
    pub fn new(name: &str, scope: CounterScope, subject: &(impl Serialize + ?Sized)) -> Result<Self, CacheError> {
        check_name(name)?;
        let entry = match scope {
            CounterScope::Tenant(tenant) => EntryKey::new(Kind::Counter, name, tenant, subject),
            CounterScope::Mesh => EntryKey::new(Kind::Counter, name, "mesh", subject),
        };
        entry.map(Self)
    }

    pub(crate) fn entry(&self) -> &EntryKey {
        &self.0
    }
}
