//! A client that means well: 50 requests a second, whoever else there is.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tokio::time::MissedTickBehavior;

/// Between two requests, whether the first is answered or not.
const PERIOD: Duration = Duration::from_millis(20);
/// After so long a request counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that was not used for so long is not used again: soon the edge would close it, maybe under a request that is
/// just sent.
const UNUSED: Duration = Duration::from_millis(500);

/// The client. It has a thread of its own, so that it measures the edge and not its own waiting for a turn.
pub(crate) struct Client(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    errors: Vec<String>,
}

/// What it has seen in a while.
pub(crate) struct Summary {
    pub(crate) answers: usize,
    /// What went wrong with each that was not answered.
    errors: Vec<String>,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Client {
    /// Asks for as long as the process runs.
    pub(crate) fn start(edge: SocketAddr) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(ask(edge, shared));
        });
        Self(seen)
    }

    /// What it has seen since it was asked last.
    pub(crate) fn take(&self) -> Summary {
        let Seen { mut took, errors } = std::mem::take(&mut *self.0.lock().unwrap());
        took.sort_unstable();
        let at =
            |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default();
        Summary { answers: took.len(), errors, p50: at(50), p99: at(99) }
    }
}

async fn ask(edge: SocketAddr, seen: Arc<Mutex<Seen>>) {
    let client = reqwest::Client::builder().timeout(PATIENCE).pool_idle_timeout(UNUSED).build().unwrap();
    let url = format!("http://{edge}/v1/notes/7");
    let mut ticks = tokio::time::interval(PERIOD);
    // A machine that was busy for a while is not asked for all that it has missed: that would be a flood, which is refused.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let (request, seen) = (client.get(&url), Arc::clone(&seen));
        tokio::spawn(async move {
            let begun = Instant::now();
            let answered = async { request.send().await?.error_for_status()?.bytes().await };
            let answered = answered.await;
            let mut seen = seen.lock().unwrap();
            match answered {
                Ok(_) => seen.took.push(begun.elapsed()),
                Err(error) => seen.errors.push(format!("after {:?}: {error:?}", begun.elapsed())),
            }
        });
    }
}

impl Summary {
    /// Fails if anything went wrong while the others did what they do.
    pub(crate) fn demand_no_error(&self, others: &str) {
        let first = self.errors.first();
        assert!(first.is_none(), "{others}: {} errors, the first {first:?}", self.errors.len());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answers, errors, p50, p99 } = self;
        write!(
            f,
            "{answers} answers, {} errors, p50 {:.2} ms, p99 {:.2} ms",
            errors.len(),
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3
        )
    }
}
