//! The calls of one method as one side sees them: handles that are made once, so that a call finds
//! its counters without building labels.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use weft_call::{Code, MethodContract};

use super::{Called, Outcome, Side};

/// The counters of one method, on one side. Clones share them.
#[derive(Clone, Debug)]
pub struct MethodMetrics(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    called: Called,
    calls: Family<Outcome, Counter>,
    /// By the number of the code. A code that never came has no line.
    by_code: [OnceLock<Counter>; 17],
    duration: Histogram,
}

impl MethodMetrics {
    pub(super) fn new(called: Called, calls: Family<Outcome, Counter>, duration: Histogram) -> Self {
        Self(Arc::new(Handles { called, calls, by_code: [const { OnceLock::new() }; 17], duration }))
    }

    /// Counts a finished call and its duration.
    pub fn observe(&self, code: Code, duration: Duration) {
        let Handles { called: Called { side, domain, method }, calls, by_code, duration: durations } = &*self.0;
        let (side, domain, method) = (*side, *domain, *method);
        let made = || calls.get_or_create_owned(&Outcome { side, domain, method, code: code.name() });
        if let Some(counter) = usize::try_from(code.number()).ok().and_then(|number| by_code.get(number)) {
            counter.get_or_init(made).inc();
        }
        durations.observe(duration.as_secs_f64());
    }
}

/// The counters of all methods that one side has seen, so that a call finds its own without building labels.
#[derive(Debug)]
pub struct SideMetrics {
    side: Side,
    metrics: super::Metrics,
    /// By the path of the method, as it stands in memory.
    known: ArcSwap<HashMap<usize, MethodMetrics, RandomState>>,
}

impl SideMetrics {
    /// Those of this side.
    pub fn new(side: Side, metrics: super::Metrics) -> Self {
        Self { side, metrics, known: ArcSwap::default() }
    }

    /// Counts a call of what is no method, by names that no stranger can choose.
    pub fn observe(&self, (domain, method): (&'static str, &'static str), code: Code, duration: Duration) {
        self.metrics.observe_call(self.side, domain, method, code, duration);
    }

    /// The counters of a method.
    pub fn of(&self, method: &'static MethodContract) -> MethodMetrics {
        // Paths of contracts are never freed, and so no other can come to stand in the same place.
        let place = method.path.as_ptr() as usize;
        if let Some(known) = self.known.load().get(&place) {
            return known.clone();
        }
        let made = self.metrics.method(self.side, method.domain, method.name);
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(place, made.clone());
            known
        });
        made
    }
}

impl super::Metrics {
    /// The counters of a method: make them once and keep them.
    pub fn method(&self, side: Side, domain: &'static str, method: &'static str) -> MethodMetrics {
        let called = Called { side: side.name(), domain, method };
        let duration = self.durations.get_or_create_owned(&called);
        MethodMetrics::new(called, self.calls.clone(), duration)
    }
}
