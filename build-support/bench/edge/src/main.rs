//! Measures the edge alone against Envoy's transcoder and grpc-gateway, and prints the tables of `docs/benchmarks.md`.
//!
//! One processor is the proxies', with one thread each; the server behind and the load share the other. Contenders take
//! turns, one slice of time a round; a figure is the median of the rounds, so that what else the machine does falls on all
//! alike. What counts is the time that the proxy's threads were on a processor, as the kernel tells it (Linux). Before
//! anything is measured each contender has to answer each request as the others do.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a report of measurements")]

mod arguments;
mod bare;
mod contender;
mod contest;
mod load;
mod process;
mod report;
mod request;
mod scenario;
mod upstream;
mod woven;

use clap::Parser as _;

use arguments::{Arguments, Role, Scenario};
use report::Report;

/// The schema, as a `google.protobuf.FileDescriptorSet`.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/echo.binpb"));

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Upstream) => return upstream::serve(),
        Some(Role::Weft { descriptors, upstream }) => return woven::serve(descriptors, upstream),
        Some(Role::Bare { upstream }) => return bare::serve(upstream),
        None => {}
    }
    let bench = contest::Bench::open(&arguments)?;
    let mut report = Report::default();
    for scenario in &arguments.only {
        eprintln!("bench-edge: {scenario}");
        match scenario {
            Scenario::Throughput => scenario::throughput::run(&bench, &mut report)?,
            Scenario::Latency => scenario::latency::run(&bench, &mut report)?,
            Scenario::Held => scenario::held::run(&bench, &mut report)?,
        }
    }
    println!("{}", report.text());
    match &arguments.write {
        Some(path) => report.write_to(path, &arguments),
        None => Ok(()),
    }
}
