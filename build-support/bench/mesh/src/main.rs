//! Measures the stacks between domains against bare tonic, against two Envoy sidecars and over uneven endpoints, and
//! prints the tables of `docs/benchmarks.md`.
//!
//! Clients and servers are processes of their own, one thread each: clients on one processor, servers on another,
//! sidecars beside the process that they serve. Contenders take turns, one slice of time a round; a figure is the median
//! of the rounds, so that what else the machine does falls on all alike. What counts is the time that all their threads
//! were on a processor, as the kernel tells it (Linux).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a report of measurements")]

mod arguments;
mod collector;
#[allow(unreachable_pub, reason = "generated for crates of contracts, which export it")]
mod contract;
mod peer;
mod process;
mod report;
mod scenario;
mod sidecar;

use clap::Parser as _;

use arguments::{Arguments, Role};
use report::Report;
use scenario::Bench;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Serve { settings }) => return peer::serve(&serde_json::from_str(&settings)?),
        Some(Role::Call { settings }) => return peer::call(&serde_json::from_str(&settings)?),
        None => {}
    }
    let bench = Bench::open(&arguments)?;
    let mut report = Report::default();
    for scenario in &arguments.only {
        eprintln!("bench-mesh: {scenario}");
        match scenario {
            arguments::Scenario::Stacks => scenario::stacks::run(&bench, &mut report)?,
            arguments::Scenario::Sidecars => scenario::sidecars::run(&bench, &mut report)?,
            arguments::Scenario::Uneven => scenario::uneven::run(&bench, &mut report)?,
        }
    }
    println!("{}", report.text());
    match &arguments.write {
        Some(path) => report.write_to(path, bench.rounds, bench.seconds),
        None => Ok(()),
    }
}
