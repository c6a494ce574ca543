//! Kills the weft binary amid keyed orders and counts what was lost or doubled.
//!
//! Clients place orders over REST, each under its own idempotency key, and send a key again until it is
//! answered. Meanwhile the process is killed by SIGKILL and started again, at random. What was answered with
//! success must then be there, once, and every key sent again must give the same order: exactly as many
//! orders as keys.
//!
//! Exit status: 0 if the promise was kept, 1 if it was broken, 2 if the run says nothing about it.

mod audit;
mod error;
mod open_transactions;
mod orders;
mod process;
mod shop;
mod strikes;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::error::CrashError;
use crate::open_transactions::Database;
use crate::orders::Progress;
use crate::process::Weft;
use crate::shop::Shop;

/// Kills the weft binary amid keyed orders and counts what was lost or doubled.
#[derive(Parser)]
#[command(args_override_self = true)]
struct Arguments {
    /// The weft binary.
    #[arg(long)]
    binary: PathBuf,
    /// An empty PostgreSQL database; SQLite without it.
    #[arg(long)]
    database_url: Option<String>,
    /// How many orders are placed, each under its own key.
    #[arg(long, default_value_t = 600)]
    orders: usize,
    /// How many clients place them at once.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How often the process is killed.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Repeats the moments of an earlier run, as far as a scheduler lets moments repeat.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout();
    let code = match run(arguments, &mut out).await {
        Ok(broken) if broken.is_empty() => 0,
        Ok(broken) => {
            report_broken(&mut out, &broken);
            1
        }
        Err(error) => {
            // A closed stdout leaves nobody to tell.
            let _ = writeln!(out, "crash: {error}");
            2
        }
    };
    ExitCode::from(code)
}

/// One run. Gives every broken promise in words.
async fn run(arguments: Arguments, out: &mut impl Write) -> Result<Vec<String>, CrashError> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    writeln!(out, "seed {seed}: {} orders, {} clients, {} kills", arguments.orders, arguments.clients, arguments.kills)?;
    let folder = tempfile::tempdir()?;
    let database = Database::new(arguments.database_url, folder.path());
    let mut weft = Weft::start(arguments.binary, folder.path(), &database)?;
    let shop = Arc::new(Shop::open(weft.address()).await.map_err(|error| weft.explain(error))?);

    let progress = Arc::new(Progress::default());
    let placing = orders::place(&shop, &progress, arguments.orders, arguments.clients, seed);
    let striking = strikes::strike(&mut weft, &database, &progress, arguments.kills, arguments.orders, seed);
    let (placed, struck) = tokio::try_join!(placing, striking).map_err(|error| weft.explain(error))?;

    writeln!(
        out,
        "{} kills, {} with orders under way, {} inside an open write transaction",
        struck.kills, struck.amid_orders, struck.inside_transactions
    )?;
    writeln!(
        out,
        "{} orders answered, {} of them only by sending the key again",
        placed.len(),
        placed.iter().filter(|order| order.attempts > 1).count()
    )?;
    writeln!(
        out,
        "{} answers lost after their commit, and repeated to the same key",
        placed.iter().filter(|order| order.answer_was_lost).count()
    )?;
    if struck.inside_transactions == 0 {
        return Err(CrashError::NothingStruck(struck.kills));
    }
    let broken = audit::audit(&shop, &placed).await.map_err(|error| weft.explain(error))?;
    if broken.is_empty() {
        writeln!(out, "nothing lost, nothing doubled: {} keys, {} orders", placed.len(), placed.len())?;
    }
    Ok(broken)
}

fn report_broken(out: &mut impl Write, broken: &[String]) {
    const SHOWN: usize = 10;
    for promise in broken.iter().take(SHOWN) {
        let _ = writeln!(out, "BROKEN: {promise}");
    }
    let _ = writeln!(out, "{} broken promises", broken.len());
}
