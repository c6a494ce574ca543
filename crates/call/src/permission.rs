//! What a principal may do, resolved once when a call arrives.

use std::{collections::BTreeSet, sync::Arc};

/// A set of permissions. Cloning it is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    all: bool,
    named: Arc<BTreeSet<&'static str>>,
}

impl Permissions {
    /// No permission.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every permission.
    pub fn all() -> Self {
        Self { all: true, named: Arc::default() }
    }

    /// The named ones.
    pub fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self { all: false, named: Arc::new(names.into_iter().collect()) }
    }

    /// What either set allows.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if self.all || other.named.is_empty() && !other.all {
            return self.clone();
        }
        if other.all || self.named.is_empty() {
            return other.clone();
        }
        Self::of(self.named.union(&other.named).copied())
    }

    /// True if `permission` is among them.
    pub fn allows(&self, permission: &str) -> bool {
        self.all || self.named.contains(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_allows_what_either_side_allows() {
        let (read, write) = (Permissions::of(["read"]), Permissions::of(["write"]));
        let both = read.and(&write);
        assert!(both.allows("read") && both.allows("write") && !both.allows("delete"));
        assert!(read.and(&Permissions::all()).allows("delete"));
        assert!(Permissions::none().and(&read).allows("read"));
        assert!(!Permissions::none().allows("read"));
    }
}
