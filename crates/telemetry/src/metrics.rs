//! Counts and durations of calls, in the OpenMetrics text format.
//!
//! Labels are `&'static str` from the contracts: observing a call allocates nothing once the
//! family's member exists, and a stranger cannot make new members.

mod calls;
mod connections;
mod records;
mod replica;
mod resilience;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use weft_call::Code;

use crate::Upkeep;
pub use calls::{MethodMetrics, SideMetrics};
pub use connections::{ConnectionEnd, EdgeConnections, OpenConnection};
pub use records::{Again, RecordsMetrics, Work};
use replica::ReplicaMetrics;
pub use replica::ReplicaRead;
use resilience::Resilience;
pub use resilience::{EndpointState, Observed, States, Upstream};

/// The content type of [`Metrics::render`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration histogram, in seconds: from a call within the process to the longest
/// deadlines that contracts give.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Which end of a call observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller.
    Client,
    /// The domain that was called.
    Server,
    /// The front door.
    Edge,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Edge => "edge",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    side: &'static str,
    domain: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    side: &'static str,
    domain: &'static str,
    method: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerRefused {
    domain: &'static str,
    method: &'static str,
    rule: &'static str,
    enforced: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    domain: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDomain {
    domain: &'static str,
}

/// What waits in a domain's outbox.
#[derive(Clone, Debug, Default)]
struct Backlog {
    count: Family<OfDomain, Gauge>,
    oldest: Family<OfDomain, Gauge>,
    parked: Family<OfDomain, Gauge>,
    deferred: Family<OfDomain, Gauge>,
}

impl Backlog {
    fn register(&self, registry: &mut Registry) {
        registry.register("events_backlog", "Published events that the carrier does not have yet", self.count.clone());
        let oldest = "How long the oldest of them has waited";
        registry.register_with_unit("events_backlog_age", oldest, Unit::Seconds, self.oldest.clone());
        registry.register("events_parked", "Keys whose events nobody tries to handle any more", self.parked.clone());
        registry.register("events_deferred", "Events that wait to be handled, parked or not", self.deferred.clone());
    }
}

/// The metrics of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: Family<Outcome, Counter>,
    durations: Family<Called, Histogram, fn() -> Histogram>,
    discovery_stale: Gauge,
    callers_refused: Family<CallerRefused, Counter>,
    streams_revoked: Family<Served, Counter>,
    connections_revoked: Family<Served, Counter>,
    intentions_stale: Gauge,
    upkeep: Upkeep,
    resilience: Arc<Resilience>,
    backlog: Backlog,
    replica: ReplicaMetrics,
    edge_connections: EdgeConnections,
    records: records::Records,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let calls = Family::default();
        let durations: Family<Called, Histogram, fn() -> Histogram> = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let discovery_stale = Gauge::default();
        let mut registry = Registry::with_prefix("weft");
        registry.register("calls", "Finished calls", calls.clone());
        registry.register_with_unit("call_duration", "Time from request to reply", Unit::Seconds, durations.clone());
        let stale = "1 while the registry does not answer, so that domains are where they were last known, else 0";
        registry.register("discovery_stale", stale, discovery_stale.clone());
        let callers_refused = Family::default();
        let refused = "Calls whose caller may not call the method, by the rule that says so; not enforced: they went through";
        registry.register("callers_refused", refused, callers_refused.clone());
        let (streams_revoked, connections_revoked) = (Family::default(), Family::default());
        registry.register("streams_revoked", "Open streams that were cut by a new rule", streams_revoked.clone());
        let closed = "Connections that were closed because nothing is left that their peer may call";
        registry.register("connections_revoked", closed, connections_revoked.clone());
        let intentions_stale = Gauge::default();
        let stale = "1 while Consul does not tell intentions, so that those known last hold, else 0";
        registry.register("intentions_stale", stale, intentions_stale.clone());
        let upkeep = Upkeep::register(&mut registry);
        let resilience = Arc::new(Resilience::default());
        resilience.register(&mut registry);
        let backlog = Backlog::default();
        backlog.register(&mut registry);
        let replica = ReplicaMetrics::default();
        replica.register(&mut registry);
        let edge_connections = EdgeConnections::register(&mut registry);
        let records = records::Records::register(&mut registry);
        Self {
            records,
            resilience,
            calls,
            durations,
            discovery_stale,
            callers_refused,
            streams_revoked,
            connections_revoked,
            intentions_stale,
            upkeep,
            backlog,
            replica,
            edge_connections,
            registry: Arc::new(registry),
        }
    }

    /// Counts a finished call and its duration; [`Metrics::method`] is for those who see many.
    pub fn observe_call(&self, side: Side, domain: &'static str, method: &'static str, code: Code, duration: Duration) {
        let side = side.name();
        self.calls.get_or_create(&Outcome { side, domain, method, code: code.name() }).inc();
        self.durations.get_or_create(&Called { side, domain, method }).observe(duration.as_secs_f64());
    }

    /// Counts a call whose caller may not call the method; `enforced` is false if it went through all the same.
    pub fn count_caller_refused(&self, domain: &'static str, method: &'static str, rule: &'static str, enforced: bool) {
        let enforced = if enforced { "true" } else { "false" };
        self.callers_refused.get_or_create(&CallerRefused { domain, method, rule, enforced }).inc();
    }

    /// Counts a stream that a new rule cut.
    pub fn count_stream_revoked(&self, domain: &'static str) {
        self.streams_revoked.get_or_create(&Served { domain }).inc();
    }

    /// Counts a connection that was closed because its peer may call nothing.
    pub fn count_connection_revoked(&self, domain: &'static str) {
        self.connections_revoked.get_or_create(&Served { domain }).inc();
    }

    /// Tells whether the intentions that hold are those known last.
    pub fn set_intentions_stale(&self, is_stale: bool) {
        self.intentions_stale.set(i64::from(is_stale));
    }

    /// Tells whether discovery lives on what it knew last.
    pub fn set_discovery_stale(&self, is_stale: bool) {
        self.discovery_stale.set(i64::from(is_stale));
    }

    /// What keeps the process current.
    pub fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    /// The connections of clients to the edge.
    pub fn edge_connections(&self) -> &EdgeConnections {
        &self.edge_connections
    }

    /// Tells how many events a domain has published that the carrier lacks, and the age of the oldest.
    pub fn set_events_backlog(&self, domain: &'static str, count: i64, oldest: Duration) {
        let labels = OfDomain { domain };
        self.backlog.count.get_or_create(&labels).set(count);
        self.backlog.oldest.get_or_create(&labels).set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Tells how many keys of events are parked in a domain, and how many events wait in all.
    pub fn set_events_deferred(&self, domain: &'static str, parked: i64, deferred: i64) {
        let labels = OfDomain { domain };
        self.backlog.parked.get_or_create(&labels).set(parked);
        self.backlog.deferred.get_or_create(&labels).set(deferred);
    }

    /// Counts a read of a domain that a replica may answer, by who answered it.
    pub fn count_replica_read(&self, domain: &'static str, read: ReplicaRead) {
        self.replica.count(domain, read);
    }

    /// How many such reads there were.
    pub fn replica_reads(&self, domain: &'static str, read: ReplicaRead) -> u64 {
        self.replica.read_count(domain, read)
    }

    /// Tells how many bytes of the primary's log a replica (`host:port/name`) has not replayed; `None` while it does not answer.
    pub fn set_replica(&self, replica: &str, behind: Option<u64>) {
        self.replica.set(replica, behind);
    }

    /// The endpoints that callers of this process know, as they stand now.
    pub fn upstreams(&self) -> Vec<Upstream> {
        self.resilience.ask()
    }

    /// All metrics in the OpenMetrics text format; see [`OPEN_METRICS`].
    pub fn render(&self) -> String {
        self.resilience.ask();
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_side_domain_method_and_code_beside_what_the_process_tells_of_itself() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        metrics.observe_call(Side::Server, "orders", "CreateOrder", Code::Ok, Duration::from_millis(3));
        clone.observe_call(Side::Server, "orders", "CreateOrder", Code::Ok, Duration::from_millis(30));
        metrics.observe_call(Side::Server, "orders", "CreateOrder", Code::NotFound, Duration::from_secs(20));
        metrics.observe_call(Side::Edge, "orders", "CreateOrder", Code::Ok, Duration::ZERO);
        metrics.count_caller_refused("orders", "CreateOrder", "contract", false);
        metrics.count_stream_revoked("orders");
        metrics.method(Side::Client, "orders", "CreateOrder").observe(Code::Ok, Duration::from_millis(3));
        metrics.method(Side::Client, "orders", "CreateOrder").observe(Code::Ok, Duration::from_millis(3));
        metrics.count_connection_revoked("orders");
        clone.upkeep().set_config_generation(2);
        metrics.upkeep().count_config_reload_failure();
        metrics.upkeep().set_certificate_expiry("orders", 3600.5);
        metrics.upkeep().set_certificates_stale(true);
        let text = metrics.render();
        for line in [
            "weft_calls_total{side=\"server\",domain=\"orders\",method=\"CreateOrder\",code=\"OK\"} 2",
            "weft_calls_total{side=\"server\",domain=\"orders\",method=\"CreateOrder\",code=\"NOT_FOUND\"} 1",
            "weft_calls_total{side=\"edge\",domain=\"orders\",method=\"CreateOrder\",code=\"OK\"} 1",
            "weft_call_duration_seconds_bucket{le=\"0.005\",side=\"server\",domain=\"orders\",method=\"CreateOrder\"} 1",
            "weft_call_duration_seconds_bucket{le=\"10.0\",side=\"server\",domain=\"orders\",method=\"CreateOrder\"} 2",
            "weft_call_duration_seconds_count{side=\"server\",domain=\"orders\",method=\"CreateOrder\"} 3",
            "weft_calls_total{side=\"client\",domain=\"orders\",method=\"CreateOrder\",code=\"OK\"} 2",
            "weft_call_duration_seconds_count{side=\"client\",domain=\"orders\",method=\"CreateOrder\"} 2",
            "weft_discovery_stale 0",
            "weft_callers_refused_total{domain=\"orders\",method=\"CreateOrder\",rule=\"contract\",enforced=\"false\"} 1",
            "weft_streams_revoked_total{domain=\"orders\"} 1",
            "weft_connections_revoked_total{domain=\"orders\"} 1",
            "weft_intentions_stale 0",
            "weft_config_generation 2",
            "weft_config_reload_failures_total 1",
            "weft_certificate_expiry_seconds{workload=\"orders\"} 3600.5",
            "weft_certificates_stale 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n---\n{text}");
        }
    }
}
