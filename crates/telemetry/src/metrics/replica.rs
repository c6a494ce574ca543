//! What a database's replica answers, and how far it is behind.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Who answered a read that may be answered by a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplicaRead {
    /// The replica.
    Replica,
    /// The primary: the replica lacks what the caller may expect.
    Behind,
    /// The primary: what the caller has written is not known.
    Unknown,
    /// The primary: the replica does not answer, or gave the read up.
    Down,
}

impl ReplicaRead {
    const fn name(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Behind => "behind",
            Self::Unknown => "unknown",
            Self::Down => "down",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    domain: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Followed {
    replica: String,
}

/// The replica of this process's database; not there without one.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplicaMetrics {
    reads: Family<Answered, Counter>,
    up: Family<Followed, Gauge>,
    behind: Family<Followed, Gauge>,
}

impl ReplicaMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let reads = "Reads that a replica may answer: by the replica, or by the primary because it is behind, down, or nobody \
            knows what the caller has written";
        registry.register("replica_reads", reads, self.reads.clone());
        registry.register("replica_up", "1 while the database's replica answers, else 0", self.up.clone());
        let behind = "How much of the primary's log the replica has not replayed";
        registry.register_with_unit("replica_behind", behind, Unit::Bytes, self.behind.clone());
    }

    pub(super) fn count(&self, domain: &'static str, read: ReplicaRead) {
        self.reads.get_or_create(&Answered { domain, outcome: read.name() }).inc();
    }

    pub(super) fn read_count(&self, domain: &'static str, read: ReplicaRead) -> u64 {
        self.reads.get_or_create(&Answered { domain, outcome: read.name() }).get()
    }

    pub(super) fn set(&self, replica: &str, behind: Option<u64>) {
        let followed = Followed { replica: replica.to_owned() };
        self.up.get_or_create(&followed).set(i64::from(behind.is_some()));
        if let Some(behind) = behind {
            self.behind.get_or_create(&followed).set(i64::try_from(behind).unwrap_or(i64::MAX));
        }
    }
}
