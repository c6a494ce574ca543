//! What the processes of one simulation share: things outside of them, and their orders.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use weft_call::Clock;
use weft_transport::{LiveTuning, Tuning, TuningError};
use weft_workload_identity::CertificateSource;

use crate::{history::History, registry::Registry, sabotage::Sabotage, scenario::Scenario};

/// One simulated world.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) history: History,
    pub(crate) registry: Arc<Registry>,
    pub(crate) certificates: Arc<dyn CertificateSource>,
    pub(crate) tuning: Tuning,
    pub(crate) servers: Vec<Orders>,
    pub(crate) callers: Vec<Clock>,
    /// The database that the servers share: keys whose change is made. It outlives every crash.
    paid: Mutex<BTreeSet<u64>>,
}

/// How a server is to behave.
pub(crate) struct Orders {
    /// Its clock.
    pub(crate) clock: Clock,
    failing: AtomicBool,
    full: AtomicBool,
    slower_by_micros: AtomicU64,
    starts: AtomicU32,
    stop: Mutex<CancellationToken>,
    has_drained: AtomicBool,
}

impl World {
    pub(crate) fn paid(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn new(
        scenario: Scenario,
        sabotage: Option<Sabotage>,
        registry: Registry,
        certificates: Arc<dyn CertificateSource>,
    ) -> Self {
        let (start, far) = (Clock::system().now(), if sabotage == Some(Sabotage::WildClocks) { 20 } else { 1 });
        let clock = |skew: &chrono::TimeDelta| Clock::manual(start + *skew * far);
        let servers = scenario.server_skews.iter().map(|skew| Orders::new(clock(skew))).collect();
        let callers = scenario.caller_skews.iter().map(clock).collect();
        let mut tuning = tuning();
        if let Some(sabotage) = sabotage {
            sabotage.tune(&mut tuning);
        }
        Self {
            sabotage,
            history: History::default(),
            registry: Arc::new(registry),
            certificates,
            tuning,
            servers,
            callers,
            paid: Mutex::default(),
            scenario,
        }
    }

    /// True if the world is sabotaged in this way.
    pub(crate) fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// A handle of the stacks' tuning, for one process.
    pub(crate) fn live_tuning(&self) -> Result<LiveTuning, TuningError> {
        LiveTuning::new(self.tuning.clone())
    }

    /// Moves every clock.
    pub(crate) fn advance_clocks(&self, by: Duration) {
        self.servers.iter().map(|orders| &orders.clock).chain(&self.callers).for_each(|clock| clock.advance(by));
    }
}

/// Like production's, but sooner where a simulation would have to wait for minutes.
fn tuning() -> Tuning {
    let mut tuning = Tuning::default();
    // Connections through a partition are dead afterwards: the simulated TCP sends nothing again.
    tuning.connections.keep_alive_interval = Duration::from_secs(2);
    tuning.connections.keep_alive_timeout = Duration::from_secs(2);
    tuning.breaker.ejection_limit = Duration::from_secs(8);
    // A low floor lets a budget that is overdrawn show in few calls.
    tuning.retry.budget_floor = 2;
    tuning
}

impl Orders {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            failing: AtomicBool::new(false),
            full: AtomicBool::new(false),
            slower_by_micros: AtomicU64::new(0),
            starts: AtomicU32::new(0),
            stop: Mutex::default(),
            has_drained: AtomicBool::new(false),
        }
    }

    /// A process of the server starts: how often one did before, and what tells it to drain.
    pub(crate) fn start(&self) -> (u32, CancellationToken) {
        let stop = CancellationToken::new();
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop.clone();
        (self.starts.fetch_add(1, Ordering::Relaxed), stop)
    }

    /// Tells the process to drain.
    pub(crate) fn drain(&self) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// The process has drained, and is about to exit.
    pub(crate) fn set_drained(&self) {
        self.has_drained.store(true, Ordering::Relaxed);
    }

    /// True once after the process has drained.
    pub(crate) fn take_drained(&self) -> bool {
        self.has_drained.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn set_slower_by(&self, by: Duration) {
        self.slower_by_micros.store(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn slower_by(&self) -> Duration {
        Duration::from_micros(self.slower_by_micros.load(Ordering::Relaxed))
    }
}
