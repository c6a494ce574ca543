//! What a registry says of the callers of one domain.

use std::collections::BTreeMap;

/// Who calls by an intention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// One workload, by its logical name.
    One(String),
    /// Every workload.
    All,
}

/// Which workloads may call a domain, by the intentions of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intentions {
    /// Whether those that are named may.
    named: BTreeMap<String, bool>,
    /// Whether everybody else may.
    others: bool,
}

impl Intentions {
    /// The first that fits a caller decides, so the more specific ones go first; `default` decides where none fits.
    pub fn new(intentions: impl IntoIterator<Item = (Sources, bool)>, default: bool) -> Self {
        let mut named = BTreeMap::new();
        for (sources, is_allowed) in intentions {
            match sources {
                Sources::One(name) => _ = named.entry(name).or_insert(is_allowed),
                Sources::All => return Self { named, others: is_allowed },
            }
        }
        Self { named, others: default }
    }

    /// Whether `caller` may call.
    pub fn allow(&self, caller: &str) -> bool {
        self.named.get(caller).copied().unwrap_or(self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Sources {
        Sources::One(name.to_owned())
    }

    #[test]
    fn the_first_intention_that_fits_decides() {
        let intentions = Intentions::new([(one("orders"), false), (one("orders"), true), (one("carts"), true)], false);
        assert_eq!(["orders", "carts", "edge"].map(|caller| intentions.allow(caller)), [false, true, false]);
        let intentions = Intentions::new([(one("orders"), false), (Sources::All, true), (one("carts"), false)], false);
        assert_eq!(["orders", "carts", "edge"].map(|caller| intentions.allow(caller)), [false, true, true]);
    }

    #[test]
    fn the_default_decides_where_none_fits() {
        for default in [true, false] {
            assert_eq!(Intentions::new([], default).allow("orders"), default);
            assert_eq!(Intentions::new([(Sources::All, !default)], default).allow("orders"), !default);
        }
    }
}
