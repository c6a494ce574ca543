//! Marks that only rise, for a time: how far something has come.
//!
//! Rule: a mark keeps the largest number that it was given. Two marks are read in their order, so that memory which was lost
//! between the two shows in the second. Whoever cannot ask gets an error.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    Answer, CacheError, CounterScope, EntryKey,
    key::{Kind, check_name},
};

/// The key of a mark.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MarkKey(EntryKey);

/// Keeps marks.
pub trait Marks: Send + Sync + 'static {
    /// Raises a mark, unless it is higher already, and keeps it for `ttl` from now.
    fn raise<'a>(&'a self, key: &'a MarkKey, to: u64, ttl: Duration) -> Answer<'a, ()>;

    /// Two marks, the first of which is read first; `None` for one that is not there.
    fn pair<'a>(&'a self, first: &'a MarkKey, second: &'a MarkKey) -> Answer<'a, (Option<u64>, Option<u64>)>;
}

impl MarkKey {
    /// The mark `name` (`<domain>.<what is marked>`) of a subject in a scope.
    pub fn new(name: &str, scope: CounterScope, subject: &(impl Serialize + ?Sized)) -> Result<Self, CacheError> {
        check_name(name)?;
        let entry = match scope {
            CounterScope::Tenant(tenant) => EntryKey::new(Kind::Mark, name, tenant, subject),
            CounterScope::Mesh => EntryKey::new(Kind::Mark, name, "mesh", subject),
        };
        entry.map(Self)
    }

    pub(crate) fn entry(&self) -> &EntryKey {
        &self.0
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
