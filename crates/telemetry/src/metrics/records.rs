//! What domains do with their records, and what a process has of its database.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{BUCKETS, Metrics};

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// It reads.
    Read,
    /// It changes something.
    Write,
}

/// Why a transaction was run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Again {
    /// A concurrent change won.
    Conflict,
    /// Its connection broke.
    Connection,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    domain: &'static str,
    work: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Repeated {
    domain: &'static str,
    why: &'static str,
}

/// The families of all domains.
#[derive(Clone, Debug)]
pub(super) struct Records {
    durations: Family<Done, Histogram, fn() -> Histogram>,
    repeated: Family<Repeated, Counter>,
}

impl Records {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let records = Self { durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)), repeated: Family::default() };
        let took = "Time of a domain's work on its records, with the wait for a connection and all repeats";
        registry.register_with_unit("transaction_duration", took, Unit::Seconds, records.durations.clone());
        registry.register("transactions_repeated", "Transactions that were run again, and why", records.repeated.clone());
        records
    }
}

/// The counters of one domain. Clones share them.
#[derive(Clone, Debug)]
pub struct RecordsMetrics {
    domain: &'static str,
    reads: Histogram,
    writes: Histogram,
    repeated: Family<Repeated, Counter>,
}

impl RecordsMetrics {
    /// Counts work that ended, however it did.
    pub fn observe(&self, work: Work, duration: Duration) {
        match work {
            Work::Read => self.reads.observe(duration.as_secs_f64()),
            Work::Write => self.writes.observe(duration.as_secs_f64()),
        }
    }

    /// Counts a transaction that is run again.
    pub fn count_repeat(&self, why: Again) {
        let why = match why {
            Again::Conflict => "conflict",
            Again::Connection => "connection",
        };
        self.repeated.get_or_create(&Repeated { domain: self.domain, why }).inc();
    }
}

impl Metrics {
    /// The counters of a domain: make them once and keep them.
    pub fn records(&self, domain: &'static str) -> RecordsMetrics {
        let histogram = |work| self.records.durations.get_or_create_owned(&Done { domain, work });
        let (reads, writes) = (histogram("read"), histogram("write"));
        RecordsMetrics { domain, reads, writes, repeated: self.records.repeated.clone() }
    }
}
