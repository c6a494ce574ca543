//! What keeps a process current: its configuration, its certificates, the schema of an edge that stands alone.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Holder {
    workload: String,
}

/// What keeps a process current. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {
    config_generation: Gauge,
    config_reload_failures: Counter,
    certificate_expiry: Family<Holder, Gauge<f64, AtomicU64>>,
    certificates_stale: Gauge,
    edge_schemas_refused: Counter,
}

impl Upkeep {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let upkeep = Self::default();
        let generation = "The configuration that runs: 1 for that of the start, one more for each that was taken since";
        registry.register("config_generation", generation, upkeep.config_generation.clone());
        let failures = "New configurations that were refused because of a mistake in them";
        registry.register("config_reload_failures", failures, upkeep.config_reload_failures.clone());
        let expiry = "Time until a workload's certificate ceases to be valid; below zero if it has";
        registry.register_with_unit("certificate_expiry", expiry, Unit::Seconds, upkeep.certificate_expiry.clone());
        let stale = "1 while certificates cannot be renewed, so that those held serve on, else 0";
        registry.register("certificates_stale", stale, upkeep.certificates_stale.clone());
        let refused = "New schemas that an edge which stands alone refused, so that the one before serves on";
        registry.register("edge_schemas_refused", refused, upkeep.edge_schemas_refused.clone());
        upkeep
    }

    /// Tells which configuration runs.
    pub fn set_config_generation(&self, number: u64) {
        self.config_generation.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Counts a configuration that was refused.
    pub fn count_config_reload_failure(&self) {
        self.config_reload_failures.inc();
    }

    /// Tells how many seconds a workload's certificate is still valid.
    pub fn set_certificate_expiry(&self, workload: &str, seconds: f64) {
        self.certificate_expiry.get_or_create(&Holder { workload: workload.to_owned() }).set(seconds);
    }

    /// Counts a new schema that an edge refused.
    pub fn count_schema_refused(&self) {
        self.edge_schemas_refused.inc();
    }

    /// Tells whether certificates cannot be renewed.
    pub fn set_certificates_stale(&self, is_stale: bool) {
        self.certificates_stale.set(i64::from(is_stale));
    }
}
