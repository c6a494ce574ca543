//! By how much the limits of contracts are stretched in this process, and how many calls its tenants may make a day.
//!
//! A limit that is too narrow, or too wide for a machine in trouble, is found while calls are refused. So its rate and
//! burst are multiplied by a factor that changes while the process runs; which callers may call is not touched by it.
//!
//! A contract says how fast each method may be called, and knows nothing of plans. So how many calls in all a tenant may
//! make a day is said by the installation, and changes while the process runs as well.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use weft_call::TenantId;

/// By how much limits are stretched, and the quotas of tenants. Clones share it; the default stretches none and has no quota.
#[derive(Clone, Debug, Default)]
pub struct LimitFactors {
    factors: Arc<ArcSwap<Factors>>,
    quotas: Arc<ArcSwap<Quotas>>,
}

/// Calls a day.
#[derive(Debug, Default)]
struct Quotas {
    general: Option<u32>,
    by_tenant: BTreeMap<TenantId, u32>,
}

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
        self.factors.store(Arc::new(Factors { general, by_domain }));
    }

    /// By how much the limits of a domain are stretched now.
    pub fn of(&self, domain: &str) -> f64 {
        let factors = self.factors.load();
        factors.by_domain.get(domain).copied().unwrap_or(factors.general)
    }

    /// From now on these tenants may make so many calls a day, and each other one `general`, or as many as it likes.
    pub fn set_quotas(&self, general: Option<u32>, by_tenant: BTreeMap<TenantId, u32>) {
        self.quotas.store(Arc::new(Quotas { general, by_tenant }));
    }

    /// How many calls a tenant may make a day, if that is limited now.
    pub fn quota(&self, tenant: TenantId) -> Option<u32> {
        let quotas = self.quotas.load();
        quotas.by_tenant.get(&tenant).copied().or(quotas.general)
    }
}
