//! Clients that mean harm, beside one that does not.
//!
//! `WEFT_HOSTILE_SECONDS` says how long each attack lasts: 2 seconds where it is not set. From 10 on, what the honest
//! client waits for is held to a bound as well; with less the numbers are printed only, since too few requests make them.
//! `WEFT_HOSTILE_ONLY` names the attacks by a part of their names, where not all are wanted: the crowd comes always, since
//! memory is measured by it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attacks;
mod bytes;
mod honest;

use std::{fmt, fs, io::Write as _, net::SocketAddr, time::Duration};

use weft_access::{AssertionSigner, EDGE};
use weft_cache::InProcess;
use weft_edge::{Edge, Running, Settings};
use weft_testkit::{Backend, Mesh};

/// From so many seconds an attack on, the honest client's waiting is held to a bound.
const ENOUGH: u64 = 10;
/// How much longer the honest client may wait under attack than before, at its 99th percentile.
const RATIO: f64 = 3.0;
/// Connections that may be left once all attackers are gone: on a slow machine the honest client has some dozens.
const LEFT: usize = 64;

/// Prints where the harness of tests does not hold back what a test that passes says: numbers are what these are for.
fn tell(line: fmt::Arguments<'_>) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Notes behind an edge as it is set by default, with less patience so that the test takes less time.
async fn door(patience: Duration) -> (Mesh, Running) {
    let mesh = Mesh::of([weft_edge_fixture::domain()]).start(Backend::Sqlite).await;
    let settings = Settings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        header_timeout: patience,
        idle_timeout: patience * 2,
        ..Settings::default()
    };
    let running = mesh.running();
    let edge = Edge {
        settings,
        contracts: running.contracts().to_vec(),
        upstreams: running.upstreams(EDGE).unwrap(),
        signer: AssertionSigner::new(running.certificates(), EDGE.parse().unwrap()),
        clock: running.clock().clone(),
        metrics: running.metrics().clone(),
        counters: std::sync::Arc::new(InProcess::new()),
        limit_factors: running.limit_factors(),
    };
    let edge = edge.start().await.unwrap();
    (mesh, edge)
}

/// What the process holds of memory, in MiB; the attackers are part of it.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Waits until the attackers' connections are gone.
async fn emptied(mesh: &Mesh) {
    let emptied = async {
        while connections(mesh) > LEFT {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("the attackers' connections are gone");
}

fn connections(mesh: &Mesh) -> usize {
    let text = mesh.running().metrics().render();
    text.lines().find_map(|line| line.strip_prefix("weft_edge_connections ")).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_client_sees_nothing_of_the_others() {
    // 3,000 sockets have two ends here.
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();
    let seconds = std::env::var("WEFT_HOSTILE_SECONDS").map_or(2, |text| text.parse().expect("a number of seconds"));
    let each = Duration::from_secs(seconds);
    let (mesh, edge) = door(Duration::from_secs(2)).await;
    let attackers = attacks::Attackers::begin();
    let honest = honest::Client::start(edge.local_addr);
    // The first requests open connections.
    tokio::time::sleep(Duration::from_secs(1)).await;
    honest.take();
    tokio::time::sleep(each * 2).await;
    let (before, memory_before) = (honest.take(), resident());
    tell(format_args!("{:<28} {before}, {memory_before} MiB", "nobody else"));
    before.demand_no_error("nobody else");
    let mut worst: f64 = 0.0;
    let only = std::env::var("WEFT_HOSTILE_ONLY").unwrap_or_default();
    assert!(attacks::ALL.iter().any(|(name, _)| name.contains(&only)), "no attack is named {only}");
    let [crowd, ..] = attacks::ALL;
    for (name, attack) in attacks::ALL.into_iter().filter(|(name, _)| *name == crowd.0 || name.contains(&only)) {
        attackers.run(attack(edge.local_addr, each)).await;
        let under = honest.take();
        let ratio = under.p99.as_secs_f64() / before.p99.as_secs_f64();
        worst = worst.max(ratio);
        tell(format_args!("{name:<28} {under}, {ratio:.2} of before at p99, {} MiB", resident()));
        under.demand_no_error(name);
        // 50 a second, less those that are under way.
        assert!(under.answers as u64 >= 25 * seconds, "the honest client was served under {name}");
    }
    emptied(&mesh).await;
    let memory_once = resident();
    // What the allocator keeps is there for the next ones: a second crowd needs no more than the first.
    attackers.run(crowd.1(edge.local_addr, each)).await;
    emptied(&mesh).await;
    let memory_twice = resident();
    tell(format_args!("{memory_before} MiB before, {memory_once} afterwards, {memory_twice} after a second crowd"));
    tell(format_args!("at worst {worst:.2} of before at p99"));
    assert!(memory_twice <= memory_once + 16, "memory returns");
    if seconds >= ENOUGH {
        assert!(worst < RATIO, "the honest client waited {worst:.2} times as long at p99");
    }
    edge.shutdown().await;
}
