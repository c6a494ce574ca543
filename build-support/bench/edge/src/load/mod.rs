//! The load: callers that wait for their answers, or a clock that does not.

mod grpc;
mod http1;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

pub(crate) use http1::Connection as Http1;

use crate::request::{Load, Request};

/// Who decides when the next request is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Each caller, when its last request is answered.
    Closed,
    /// The clock: so many a second, whether answers come or not.
    Open(u32),
}

/// When requests are due.
type Due = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

/// The time of each answer, in microseconds, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Vec<u32>);

impl Answers {
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The time that so many of a hundred answers took at most.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        self.0.get(self.0.len() * percent / 100).copied().unwrap_or_default().into()
    }
}

/// One who asks.
enum Caller {
    Http(http1::Connection, Bytes),
    Grpc(grpc::Connection, &'static str, Bytes),
}

impl Caller {
    async fn ask(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Http(connection, request) => connection.exchange(request).await.map(drop),
            Self::Grpc(connection, path, frame) => connection.exchange(path, frame).await.map(drop),
        }
    }
}

/// The body of one answer.
pub(crate) async fn one(port: u16, request: &Request) -> anyhow::Result<Bytes> {
    match request {
        Request::Http(bytes) => Ok(Bytes::copy_from_slice(http1::Connection::open(port).await?.exchange(bytes).await?)),
        Request::Grpc(path, frame) => grpc::Connection::open(port).await?.exchange(path, frame).await,
    }
}

/// Asks for so long.
pub(crate) async fn run(port: u16, load: &Load, connections: usize, pace: Pace, length: Duration) -> anyhow::Result<Answers> {
    let mut callers = Vec::new();
    for _ in 0..connections {
        match &load.request {
            Request::Http(bytes) => callers.push(Caller::Http(http1::Connection::open(port).await?, bytes.clone())),
            Request::Grpc(path, frame) => {
                let connection = grpc::Connection::open(port).await?;
                callers.extend((0..load.streams).map(|_| Caller::Grpc(connection.clone(), path, frame.clone())));
            }
        }
    }
    let due = match pace {
        Pace::Closed => None,
        Pace::Open(rate) => Some(Arc::new(Mutex::new(clock(rate, length)))),
    };
    let end = Instant::now() + length;
    let mut running = JoinSet::new();
    for caller in callers {
        running.spawn(ask_until(caller, end, due.clone()));
    }
    let mut all = Vec::new();
    while let Some(micros) = running.join_next().await {
        all.extend(micros??);
    }
    all.sort_unstable();
    Ok(Answers(all))
}

async fn ask_until(mut caller: Caller, end: Instant, due: Option<Due>) -> anyhow::Result<Vec<u32>> {
    let mut micros = Vec::new();
    loop {
        let begun = match &due {
            None => Some(Instant::now()).filter(|now| *now < end),
            Some(due) => due.lock().await.recv().await,
        };
        let Some(begun) = begun else { return Ok(micros) };
        caller.ask().await?;
        micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

/// Tells when requests are due. On a thread of its own: the runtime's timers know whole milliseconds only.
fn clock(rate: u32, length: Duration) -> mpsc::UnboundedReceiver<Instant> {
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
