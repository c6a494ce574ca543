//! By how much the limits of contracts are stretched in this process.
//!
//! A limit that is too narrow, or too wide for a machine in trouble, is found while calls are refused. So its rate and
//! burst are multiplied by a factor that changes while the process runs; which callers may call is not touched by it.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;

/// By how much limits are stretched. Clones share it; the default stretches none.
#[derive(Clone, Debug, Default)]
pub struct LimitFactors(Arc<ArcSwap<Factors>>);

#[derive(Debug)]
struct Factors {
    general: f64,
    by_domain: BTreeMap<String, f64>,
}

impl Default for Factors {
    fn default() -> Self {
        Self { general: 1.0, by_domain: BTreeMap::new() }
    }
}

impl LimitFactors {
    /// From now on the limits of these domains are multiplied by their own factors, and all others by `general`.
    pub fn set(&self, general: f64, by_domain: BTreeMap<String, f64>) {
        self.0.store(Arc::new(Factors { general, by_domain }));
    }

    /// By how much the limits of a domain are stretched now.
    pub fn of(&self, domain: &str) -> f64 {
        let factors = self.0.load();
        factors.by_domain.get(domain).copied().unwrap_or(factors.general)
    }
}
