//! Drives a running weft as its users do, at a set rate, and tells what each step took and what failed.
//!
//! # Problem
//!
//! Whether an installation loses nothing while its pods come and go shows only under load, and only if whoever makes the load
//! counts honestly: an answer that came late is late, and a request that was never answered is a failure.
//!
//! # Rule
//!
//! Steps begin at their times, whether or not earlier ones have ended (an open loop), and latency counts from that time. A
//! step is one request of the mixture: browsing (READ), an order under a key (KEYED), now and then a sign-up with a login. A
//! client repeats what may be repeated (READ and KEYED; RFC 9110, section 9.2.2) while its patience lasts; what is still
//! unanswered then has failed. At the end the orders that are there are counted against the keys that were answered.
//!
//! # Recovery
//!
//! Exit code 1 if a step failed, or an order is missing or doubled. `--until FILE` ends the run when the file appears, so that
//! a script decides how long its faults take.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a report goes to a terminal or a script")]

mod error;
mod report;
mod scenario;
mod shop;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;

use crate::{error::LoadError, report::Report, scenario::Scenario, shop::Shop};

/// Drives a mixed scenario against a running weft.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the edge is: http://localhost:8080
    #[arg(long)]
    url: String,
    /// Steps a second.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// How long, in seconds; with --until the longest.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Ends the run when this file is there.
    #[arg(long)]
    until: Option<PathBuf>,
    /// How long a client goes on repeating one request, in seconds.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Of a hundred steps, how many sign up and log in; each costs a password hash or two.
    #[arg(long, default_value_t = 1)]
    sign_ups: u8,
    /// Of a hundred steps, how many place an order.
    #[arg(long, default_value_t = 40)]
    orders: u8,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One run; true if nothing failed and every order is there once.
async fn run(arguments: Arguments) -> Result<bool, LoadError> {
    let shop = Arc::new(Shop::open(&arguments.url, Duration::from_secs(arguments.patience)).await?);
    let report = Arc::new(Report::default());
    let scenario = Scenario { sign_ups: arguments.sign_ups, orders: arguments.orders };
    let every = Duration::from_secs(1) / arguments.rate.max(1);
    let limit = Duration::from_secs(arguments.seconds);
    scenario::drive(&shop, &report, scenario, every, limit, arguments.until.as_deref()).await;
    let listed = shop.orders().await?;
    print!("{}", report.table());
    Ok(report.verdict(&listed))
}
