//! Many connections that ask nothing, and many streams that say little: the memory that each takes, and how many are lost.

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    arguments::Who,
    contender::{Contender, Streams},
    contest::Bench,
    load::Http1,
    report::Report,
    request::{self, Request},
};

const IDLE: usize = 10_000;
const STREAMS: usize = 1_000;
/// How long they are held; shorter than any proxy lets a connection idle.
const HELD: Duration = Duration::from_secs(10);
/// Opened at once: the listener's queue is not what is measured.
const AT_ONCE: usize = 100;
/// Files that this process and each proxy have open besides.
const BESIDES: u64 = 500;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    demand_files()?;
    let watch = request::watch();
    report.line("### Held at once\n");
    report.line(&format!(
        "{IDLE} connections that have asked once and then idle for {} s, and {STREAMS} streams of server-sent events on which a message \
         comes every second. An idle connection is lost if it does not answer afterwards, a stream if it misses a message.\n",
        HELD.as_secs(),
    ));
    report.line("| | KB an idle connection | lost | KB a stream of events | lost |\n|---|---|---|---|---|");
    // The bare proxy hands an answer on once it is whole, so that a stream which does not end never begins.
    for who in bench.who.iter().filter(|who| **who != Who::Bare) {
        // Each fresh: memory that was given back to the allocator alone would count for nothing.
        let contender = Contender::start(*who, bench, Streams::Events)?;
        let idle = bench.runtime.block_on(idle(&contender))?;
        let contender = Contender::start(*who, bench, Streams::Events)?;
        let streams = bench.runtime.block_on(streams(&contender, &watch))?;
        report.row(contender.name, [&idle, &streams].into_iter().flat_map(Held::figures));
        let lost = idle.lost + streams.lost;
        ensure!(contender.who != Who::Weft || lost == 0, "weft lost {lost} of what it held");
    }
    report.line("");
    Ok(())
}

/// What holding many cost.
struct Held {
    /// Memory for each.
    kilobytes: f64,
    lost: usize,
}

impl Held {
    #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
    fn new(before: u64, after: u64, count: usize, lost: usize) -> Self {
        Self { kilobytes: after.saturating_sub(before) as f64 / 1e3 / count as f64, lost }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn figures(&self) -> [(f64, usize); 2] {
        [(self.kilobytes, 1), (self.lost as f64, 0)]
    }
}

/// As many files as are needed, or the command that allows them.
fn demand_files() -> anyhow::Result<()> {
    let needed = (IDLE + STREAMS) as u64 + BESIDES;
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if allowed.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        allowed.maximum.is_none_or(|maximum| maximum >= needed),
        "{needed} open files are needed: as root, run ulimit -Hn {needed} in this shell"
    );
    // Those that are started inherit it.
    let wanted = rustix::process::Rlimit { current: Some(needed), maximum: allowed.maximum };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted)?)
}

async fn idle(contender: &Contender) -> anyhow::Result<Held> {
    let Request::Http(get) = request::get().request else { anyhow::bail!("the request is none of HTTP/1.1") };
    let before = contender.process.memory()?;
    let mut connections = Vec::with_capacity(IDLE);
    while connections.len() < IDLE {
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (port, get) = (contender.port, get.clone());
            opening.spawn(async move {
                let mut connection = Http1::open(port).await?;
                connection.exchange(&get).await?;
                anyhow::Ok(connection)
            });
        }
        while let Some(opened) = opening.join_next().await {
            connections.push(opened??);
        }
    }
    tokio::time::sleep(HELD).await;
    let after = contender.process.memory()?;
    let mut lost = 0;
    for connection in &mut connections {
        lost += usize::from(connection.exchange(&get).await.is_err());
    }
    Ok(Held::new(before, after, IDLE, lost))
}

async fn streams(contender: &Contender, watch: &Bytes) -> anyhow::Result<Held> {
    let event = contender.event();
    let before = contender.process.memory()?;
    let mut listening = JoinSet::new();
    let mut opened = 0;
    while opened < STREAMS {
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (port, watch) = (contender.port, watch.clone());
            opening.spawn(async move {
                let mut connection = Http1::open(port).await?;
                connection.listen(&watch).await?;
                anyhow::Ok(connection)
            });
        }
        while let Some(connection) = opening.join_next().await {
            let mut connection = connection??;
            opened += 1;
            listening.spawn(async move {
                // Twice the pause between messages: one that is late is not lost.
                let patience = Duration::from_secs(3);
                let end = tokio::time::Instant::now() + HELD;
                while tokio::time::Instant::now() < end {
                    tokio::time::timeout(patience, connection.hear(event)).await??;
                }
                anyhow::Ok(connection)
            });
        }
    }
    tokio::time::sleep(HELD / 2).await;
    let after = contender.process.memory()?;
    let mut lost = 0;
    while let Some(ended) = listening.join_next().await {
        lost += usize::from(ended?.is_err());
    }
    Ok(Held::new(before, after, STREAMS, lost))
}
