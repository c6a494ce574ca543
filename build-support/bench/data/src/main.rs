//! Measures records and events against what they stand on, in one run, and prints the tables of `docs/benchmarks.md`.
//!
//! The store runs against raw sqlx that does the same work: the same role, tenant and isolation set in one round trip, the
//! same prepared statements, a server or file that writes what it commits to the disk. The relay runs against
//! the carrier's own client that sends the same texts and awaits the same acknowledgements. Contenders take turns; a figure
//! is the median of the rounds, and a ratio the median of the rounds' ratios.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a report of measurements"
)]

mod arguments;
mod carriers;
mod contest;
mod latency;
mod page;
mod publish;
mod raw;
mod records;
mod relay;
mod report;
mod store;

use clap::Parser;
use weft_test_postgres::Durable;

use crate::{
    arguments::{Arguments, Part},
    carriers::Servers,
    records::Backend,
    report::Report,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let server = tokio::task::block_in_place(Durable::start)?;
    let databases = [Backend::Sqlite, Backend::Postgres(server.url().to_string())];
    let servers = Servers::start(&arguments.only)?;
    let mut report = Report::default();
    if arguments.has(Part::Store) {
        store::measure(&databases, &arguments, &mut report).await?;
    }
    if arguments.has(Part::Publish) {
        publish::measure(&databases, &arguments, &mut report).await?;
    }
    if arguments.has(Part::Page) {
        page::measure(&databases, &arguments, &mut report).await?;
    }
    if arguments.has(Part::Relay) {
        relay::measure(&databases[1], &servers, &arguments, &mut report).await?;
    }
    if arguments.has(Part::Latency) {
        latency::measure(&databases, &servers, &arguments, &mut report).await?;
    }
    if let Some(path) = &arguments.write {
        report.write_to(path, &arguments)?;
    }
    Ok(())
}
