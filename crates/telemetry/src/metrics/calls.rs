//! The calls of one method as one side sees them: handles that are made once, so that a call finds
//! its counters without building labels.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use weft_call::Code;

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

impl super::Metrics {
    /// The counters of a method: make them once and keep them.
    pub fn method(&self, side: Side, domain: &'static str, method: &'static str) -> MethodMetrics {
        let called = Called { side: side.name(), domain, method };
        let duration = self.durations.get_or_create_owned(&called);
        MethodMetrics::new(called, self.calls.clone(), duration)
    }
}
