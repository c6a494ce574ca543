//! The load: callers that wait for their answers, or a clock that does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use weft_call::Call;

use super::{Load, Method, Order, Outcome, caller::Caller};
use crate::contract::EchoRequest;

/// What came of some calls.
#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    failed: u64,
    failure: Option<String>,
}

/// What every call of an order is.
struct Task {
    caller: Arc<Caller>,
    calls: Vec<Call>,
    next: AtomicUsize,
    method: Method,
    request: EchoRequest,
}

impl Task {
    /// Makes one call that was due at a moment.
    async fn make(&self, due: Instant) -> (u32, Result<(), String>) {
        let call = &self.calls[self.next.fetch_add(1, Ordering::Relaxed) % self.calls.len()];
        let done = self.caller.echo(call, self.method, self.request.clone()).await;
        (u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX), done)
    }
}

impl Tally {
    fn add(&mut self, (micros, done): (u32, Result<(), String>)) {
        self.micros.push(micros);
        self.failed += u64::from(done.is_err());
        self.failure = self.failure.take().or(done.err());
    }

    fn merge(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
    }

    fn outcome(mut self) -> Outcome {
        self.micros.sort_unstable();
        let at = |percent: usize| self.micros.get(self.micros.len() * percent / 100).copied().unwrap_or_default();
        let (p50_micros, p99_micros) = (at(50), at(99));
        Outcome {
            calls: self.micros.len() as u64,
            failed: self.failed,
            failure: self.failure,
            allocations: 0,
            p50_micros,
            p99_micros,
        }
    }
}

/// Does what an order says. The allocations are for the caller to count.
pub(crate) async fn run(caller: &Arc<Caller>, order: Order) -> anyhow::Result<Outcome> {
    let request =
        EchoRequest { id: "0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50".into(), quantity: 3, content: vec![b'x'; order.size].into() };
    let task = Arc::new(Task {
        caller: Arc::clone(caller),
        calls: caller.calls()?,
        next: AtomicUsize::new(0),
        method: order.method,
        request,
    });
    let length = Duration::from_secs_f64(order.seconds);
    match order.load {
        Load::Closed(callers) => closed(&task, callers, length).await,
        Load::Open(rate) => open(&task, rate, length).await,
    }
}

async fn closed(task: &Arc<Task>, callers: usize, length: Duration) -> anyhow::Result<Outcome> {
    let end = Instant::now() + length;
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let task = Arc::clone(task);
        running.spawn(async move {
            let mut tally = Tally::default();
            while Instant::now() < end {
                tally.add(task.make(Instant::now()).await);
            }
            tally
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = running.join_next().await {
        all.merge(tally?);
    }
    Ok(all.outcome())
}

async fn open(task: &Arc<Task>, rate: u32, length: Duration) -> anyhow::Result<Outcome> {
    let mut due = pace(rate, length);
    let mut running = JoinSet::new();
    let mut all = Tally::default();
    loop {
        tokio::select! {
            biased;
            Some(done) = running.join_next() => all.add(done?),
            at = due.recv() => match at {
                Some(at) => {
                    let task = Arc::clone(task);
                    running.spawn(async move { task.make(at).await });
                }
                None => break,
            },
        }
    }
    while let Some(done) = running.join_next().await {
        all.add(done?);
    }
    Ok(all.outcome())
}

/// Tells when calls are due. On a thread of its own: the runtime's timers know whole milliseconds only.
fn pace(rate: u32, length: Duration) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        let start = Instant::now();
        let due = (0..).map(|call| start + Duration::from_secs(1) * call / rate).take_while(|due| *due < start + length);
        for due in due {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}
