//! What the client and server stacks decide: endpoints, breakers, retries, limits.
//!
//! Counters are for what is rare. The state of endpoints and limits is asked for when metrics are
//! read ([`Observed`]), so that calls pay nothing for it and an endpoint that is gone has no line.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use std::sync::atomic::AtomicU64;

use super::{Metrics, Side};

type Ratio = Gauge<f64, AtomicU64>;

/// What has a state to tell when metrics are read.
pub trait Observed: Send + Sync {
    /// Tells it.
    fn observe(&self, states: &States);
}

/// One endpoint, as a caller knows it.
#[derive(Clone, Copy, Debug)]
pub struct EndpointState<'a> {
    /// The workload that calls.
    pub caller: &'a str,
    /// The domain that is called.
    pub domain: &'a str,
    /// Where it is: `host:port`.
    pub endpoint: &'a str,
    /// The breaker leaves it alone for now.
    pub is_ejected: bool,
    /// What the next call to it is likely to cost, in seconds; see the balancer.
    pub load: f64,
    /// Calls under way to it.
    pub in_flight: u32,
    /// How many there may be.
    pub limit: u32,
    /// Calls that wait for one of them to end.
    pub queued: u32,
}

/// One endpoint, as a caller knew it when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// The workload that calls.
    pub caller: String,
    /// The domain that is called.
    pub domain: String,
    /// Where it is: `host:port`.
    pub endpoint: String,
    /// The breaker leaves it alone for now.
    pub is_ejected: bool,
    /// What the next call to it is likely to cost, in seconds.
    pub load: f64,
    /// Calls under way to it.
    pub in_flight: u32,
    /// How many there may be.
    pub limit: u32,
    /// Calls that wait for one of them to end.
    pub queued: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    caller: String,
    domain: String,
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Callee {
    caller: String,
    domain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    caller: String,
    domain: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ejected {
    domain: String,
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limited {
    side: &'static str,
    domain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Retried {
    domain: &'static str,
    why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    state: &'static str,
}

/// The states that are told when metrics are read.
#[derive(Clone, Debug, Default)]
pub struct States {
    endpoints: Family<InState, Gauge>,
    ejected: Family<Endpoint, Gauge>,
    load: Family<Endpoint, Ratio>,
    in_flight: Family<Endpoint, Gauge>,
    limit: Family<Endpoint, Gauge>,
    queued: Family<Endpoint, Gauge>,
    budget: Family<Callee, Ratio>,
    serving: Family<Limited, Gauge>,
    serving_limit: Family<Limited, Gauge>,
    serving_queued: Family<Limited, Gauge>,
    database: Family<Connections, Gauge>,
    database_limit: Gauge,
    told: Arc<Mutex<Vec<Upstream>>>,
}

impl States {
    /// Tells of an endpoint.
    pub fn endpoint(&self, state: &EndpointState<'_>) {
        let EndpointState { caller, domain, endpoint, is_ejected, load, in_flight, limit, queued } = *state;
        let label = Endpoint { caller: caller.to_owned(), domain: domain.to_owned(), endpoint: endpoint.to_owned() };
        let Endpoint { caller: by, domain: of, endpoint: at } = label.clone();
        let told = Upstream { caller: by, domain: of, endpoint: at, is_ejected, load, in_flight, limit, queued };
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        self.ejected.get_or_create(&label).set(i64::from(is_ejected));
        self.load.get_or_create(&label).set(load);
        self.in_flight.get_or_create(&label).set(in_flight.into());
        self.limit.get_or_create(&label).set(limit.into());
        self.queued.get_or_create(&label).set(queued.into());
        let state = if is_ejected { "ejected" } else { "in_service" };
        self.endpoints.get_or_create(&InState { caller: caller.to_owned(), domain: domain.to_owned(), state }).inc();
    }

    /// Tells how many retries a caller may still make to a domain.
    pub fn retry_budget(&self, caller: &str, domain: &str, retries: f64) {
        self.budget.get_or_create(&Callee { caller: caller.to_owned(), domain: domain.to_owned() }).set(retries);
    }

    /// Tells how many calls a domain works on, may work on, and lets wait.
    pub fn serving(&self, domain: &str, in_flight: u32, limit: u32, queued: u32) {
        let label = Limited { side: Side::Server.name(), domain: domain.to_owned() };
        self.serving.get_or_create(&label).set(in_flight.into());
        self.serving_limit.get_or_create(&label).set(limit.into());
        self.serving_queued.get_or_create(&label).set(queued.into());
    }

    /// Tells how many connections to its database the process has, by what they do, and how many it may have.
    pub fn database(&self, in_use: u32, idle: u32, limit: u32) {
        for (state, count) in [("in_use", in_use), ("idle", idle)] {
            self.database.get_or_create(&Connections { state }).set(count.into());
        }
        self.database_limit.set(limit.into());
    }

    fn clear(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.endpoints.clear();
        for family in [&self.ejected, &self.in_flight, &self.limit, &self.queued] {
            family.clear();
        }
        self.load.clear();
        self.budget.clear();
        for family in [&self.serving, &self.serving_limit, &self.serving_queued] {
            family.clear();
        }
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("endpoints", "Endpoints that callers know, by what their breaker says", self.endpoints.clone());
        registry.register("endpoint_ejected", "1 while the endpoint is left alone, else 0", self.ejected.clone());
        let load = "What the next call is likely to cost: peak latency, calls under way, penalties, warmth";
        registry.register_with_unit("endpoint_load", load, Unit::Seconds, self.load.clone());
        registry.register("endpoint_in_flight", "Calls under way to the endpoint", self.in_flight.clone());
        registry.register("endpoint_limit", "Calls that may be under way to the endpoint", self.limit.clone());
        registry.register("endpoint_queued", "Calls that wait for a place at the endpoint", self.queued.clone());
        registry.register("retry_budget", "Retries that calls to the domain may still make", self.budget.clone());
        registry.register("concurrency_in_flight", "Calls that the domain works on", self.serving.clone());
        registry.register("concurrency_limit", "Calls that the domain works on at once at most", self.serving_limit.clone());
        registry.register("database_connections", "Connections to the database, by what they do", self.database.clone());
        let limit = "Connections to the database that the process may have; 0 without a pool of them";
        registry.register("database_connections_limit", limit, self.database_limit.clone());
        registry.register("concurrency_queued", "Calls that wait until the domain works on them", self.serving_queued.clone());
    }
}

/// Counters of what the stacks decide, and whom to ask for their state.
#[derive(Debug, Default)]
pub(super) struct Resilience {
    states: States,
    ejections: Family<Ejected, Counter>,
    retries: Family<Retried, Counter>,
    retries_refused: Family<Retried, Counter>,
    shed: Family<Limited, Counter>,
    observed: Mutex<Vec<Weak<dyn Observed>>>,
}

impl std::fmt::Debug for dyn Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observed")
    }
}

impl Resilience {
    pub(super) fn register(&self, registry: &mut Registry) {
        self.states.register(registry);
        registry.register("endpoint_ejections", "How often the endpoint was ejected", self.ejections.clone());
        registry.register("retries", "Calls that were sent again, and why", self.retries.clone());
        let refused = "Calls that were not sent again because the retry budget was spent";
        registry.register("retries_refused", refused, self.retries_refused.clone());
        registry.register(
            "calls_shed",
            "Calls that were refused before they began because there were too many",
            self.shed.clone(),
        );
    }

    /// Asks everyone for their state, before metrics are read; what is told of endpoints.
    pub(super) fn ask(&self) -> Vec<Upstream> {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        self.states.clear();
        observed.retain(|one| one.upgrade().inspect(|one| one.observe(&self.states)).is_some());
        let mut told = self.states.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told.sort_by(|a, b| (&a.caller, &a.domain, &a.endpoint).cmp(&(&b.caller, &b.domain, &b.endpoint)));
        told
    }
}

impl Metrics {
    /// Asks for this state whenever metrics are read, for as long as it lives.
    pub fn watch(&self, observed: Weak<dyn Observed>) {
        self.resilience.observed.lock().unwrap_or_else(PoisonError::into_inner).push(observed);
    }

    /// Counts an endpoint that was ejected.
    pub fn count_ejection(&self, domain: &str, endpoint: &str) {
        let label = Ejected { domain: domain.to_owned(), endpoint: endpoint.to_owned() };
        self.resilience.ejections.get_or_create(&label).inc();
    }

    /// Counts a call that is sent again: it failed, or it stayed unanswered.
    pub fn count_retry(&self, domain: &'static str, was_answered: bool) {
        let why = if was_answered { "failed" } else { "unanswered" };
        self.resilience.retries.get_or_create(&Retried { domain, why }).inc();
    }

    /// Counts a call that is not sent again because the budget is spent.
    pub fn count_retry_refused(&self, domain: &'static str) {
        self.resilience.retries_refused.get_or_create(&Retried { domain, why: "budget" }).inc();
    }

    /// Counts a call that was refused before it began because there were too many.
    pub fn count_shed(&self, side: Side, domain: &str) {
        self.resilience.shed.get_or_create(&Limited { side: side.name(), domain: domain.to_owned() }).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Two(bool);

    impl Observed for Two {
        fn observe(&self, states: &States) {
            for (endpoint, is_ejected) in [("a:1", self.0), ("b:2", false)] {
                let (caller, domain) = ("orders", "catalog");
                let load = 0.5;
                states.endpoint(&EndpointState { caller, domain, endpoint, is_ejected, load, in_flight: 3, limit: 9, queued: 1 });
            }
            states.retry_budget("orders", "catalog", 7.5);
            states.serving("orders", 4, 128, 2);
        }
    }

    #[test]
    fn states_are_asked_for_when_metrics_are_read_and_go_with_their_owner() {
        let metrics = Metrics::new();
        let two = Arc::new(Two(true));
        metrics.watch(Arc::downgrade(&two) as Weak<dyn Observed>);
        for _ in 0..2 {
            let text = metrics.render();
            for line in [
                "weft_endpoints{caller=\"orders\",domain=\"catalog\",state=\"ejected\"} 1",
                "weft_endpoints{caller=\"orders\",domain=\"catalog\",state=\"in_service\"} 1",
                "weft_endpoint_ejected{caller=\"orders\",domain=\"catalog\",endpoint=\"a:1\"} 1",
                "weft_endpoint_load_seconds{caller=\"orders\",domain=\"catalog\",endpoint=\"b:2\"} 0.5",
                "weft_endpoint_limit{caller=\"orders\",domain=\"catalog\",endpoint=\"b:2\"} 9",
                "weft_retry_budget{caller=\"orders\",domain=\"catalog\"} 7.5",
                "weft_concurrency_in_flight{side=\"server\",domain=\"orders\"} 4",
                "weft_concurrency_queued{side=\"server\",domain=\"orders\"} 2",
            ] {
                assert!(text.lines().any(|found| found == line), "{line}\n---\n{text}");
            }
        }
        drop(two);
        let text = metrics.render();
        assert!(!text.contains("a:1"), "{text}");
    }

    #[test]
    fn what_the_stacks_decide_is_counted() {
        let metrics = Metrics::new();
        metrics.count_ejection("catalog", "a:1");
        metrics.count_retry("catalog", true);
        metrics.count_retry("catalog", false);
        metrics.count_retry_refused("catalog");
        metrics.count_shed(Side::Server, "catalog");
        let text = metrics.render();
        for line in [
            "weft_endpoint_ejections_total{domain=\"catalog\",endpoint=\"a:1\"} 1",
            "weft_retries_total{domain=\"catalog\",why=\"failed\"} 1",
            "weft_retries_total{domain=\"catalog\",why=\"unanswered\"} 1",
            "weft_retries_refused_total{domain=\"catalog\",why=\"budget\"} 1",
            "weft_calls_shed_total{side=\"server\",domain=\"catalog\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n---\n{text}");
        }
    }
}
