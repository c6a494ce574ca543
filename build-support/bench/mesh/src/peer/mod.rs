//! The two ends of a call, each in a process of its own with one thread.

mod bare;
mod caller;
mod load;
mod orders;
mod resolver;
mod woven;

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use weft_telemetry::{Format, Guard, Settings};
use weft_workload_identity::DevelopmentCa;

use orders::Orders;

/// The trust domain of the benchmark's mesh.
pub(crate) const TRUST_DOMAIN: &str = "weft.bench";
/// The workload that calls.
pub(crate) const CALLER: &str = "caller";
/// The workload that answers: the domain of the contract.
pub(crate) const BENCH: &str = "bench";

/// Who puts calls on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stack {
    /// weft's client or server stack.
    Weft,
    /// tonic's generated client or server.
    Tonic,
    /// tonic's channel over several endpoints.
    TonicBalanced,
    /// tonic's channels in turn.
    TonicRoundRobin,
}

/// How a server is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ServerSettings {
    pub(crate) stack: Stack,
    /// The folder of the development CA; plain TCP without one.
    pub(crate) certificates: Option<PathBuf>,
    /// The collector of weft's traces.
    pub(crate) collector: String,
    /// How long the handler takes, in milliseconds.
    pub(crate) work_millis: u64,
    /// It answers UNAVAILABLE, and at once.
    pub(crate) fails: bool,
}

/// How a client is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientSettings {
    pub(crate) stack: Stack,
    /// As in [`ServerSettings`].
    pub(crate) certificates: Option<PathBuf>,
    /// As in [`ServerSettings`].
    pub(crate) collector: String,
    /// Where the servers listen.
    pub(crate) ports: Vec<u16>,
}

/// What a client is told to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) seconds: f64,
    /// Bytes in the content of each message.
    pub(crate) size: usize,
    pub(crate) load: Load,
    pub(crate) method: Method,
}

/// Who decides when the next call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Load {
    /// Each of so many callers, when its last call has ended.
    Closed(usize),
    /// The clock: so many calls a second, whether answers come or not.
    Open(u32),
}

/// Which method of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Method {
    Echo,
    EchoForUser,
    EchoOnce,
}

/// What came of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Why the first one that failed did.
    pub(crate) failure: Option<String>,
    /// Times that the process asked for memory.
    pub(crate) allocations: u64,
    /// From when a call was due until its answer.
    pub(crate) p50_micros: u32,
    pub(crate) p99_micros: u32,
}

/// Serves until standard input ends. Each line is answered with the allocations since the last one.
pub(crate) fn serve(settings: &ServerSettings) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let mut orders = Orders::read();
    let started = runtime.block_on(async {
        let telemetry = telemetry(settings.stack, &settings.collector)?;
        let port = match settings.stack {
            Stack::Weft => woven::serve(settings).await?,
            _ => bare::serve(settings).await?,
        };
        Ok((telemetry, port))
    });
    let (_telemetry, port) = told(started)?;
    say(&Ok(port))?;
    loop {
        let mut order = None;
        let counted = allocation_counter::measure(|| order = runtime.block_on(orders.next::<()>()));
        if order.is_none() {
            return Ok(());
        }
        say(&Ok(counted.count_total))?;
    }
}

/// Calls as each line of standard input says, until it ends.
pub(crate) fn call(settings: &ClientSettings) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let mut orders = Orders::read();
    let started = runtime.block_on(async {
        let telemetry = telemetry(settings.stack, &settings.collector)?;
        Ok((telemetry, Arc::new(caller::Caller::open(settings)?)))
    });
    let (_telemetry, caller) = told(started)?;
    say(&Ok(()))?;
    while let Some(order) = runtime.block_on(orders.next::<Order>()) {
        let order = order?;
        let mut result = None;
        let counted = allocation_counter::measure(|| result = Some(runtime.block_on(load::run(&caller, order))));
        let outcome =
            result.transpose().map(|outcome| outcome.map(|outcome| Outcome { allocations: counted.count_total, ..outcome }));
        say(&outcome.map_err(|error| format!("{error:#}")))?;
    }
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// weft logs from info on and records one trace in a hundred. tonic does neither.
fn telemetry(stack: Stack, collector: &str) -> anyhow::Result<Option<Guard>> {
    let settings = Settings {
        level: "info".to_owned(),
        format: Format::Json,
        otel_endpoint: Some(collector.to_owned()),
        sample_ratio: 0.01,
        service_name: "weft-bench-mesh".to_owned(),
    };
    (stack == Stack::Weft).then(|| weft_telemetry::init(&settings)).transpose().map_err(Into::into)
}

fn certificates(folder: &std::path::Path) -> anyhow::Result<Arc<DevelopmentCa>> {
    Ok(Arc::new(DevelopmentCa::open(folder, TRUST_DOMAIN.parse()?)?))
}

/// Tells the parent why the peer could not start, if it could not.
fn told<T>(started: anyhow::Result<T>) -> anyhow::Result<T> {
    if let Err(error) = &started {
        say::<()>(&Err(format!("{error:#}")))?;
    }
    started
}

fn say<T: Serialize>(what: &Result<T, String>) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// How long a handler takes.
fn work(settings: &ServerSettings) -> Duration {
    Duration::from_millis(settings.work_millis)
}
