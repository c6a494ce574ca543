//! `top`: what the domains do right now, as a table that is drawn again and again.
//!
//! # Problem
//!
//! Whoever looks into a problem wants rates, failures and delays of this moment, of a mesh that may have no Prometheus.
//!
//! # Rule
//!
//! Every process tells its metrics at its admin port. Two readings of them, some seconds apart, make one table: what is
//! counted is the difference, what is a state is that of the later one. Several processes are asked at once, and their
//! domains summed by name. On a terminal a table takes the place of the one before; in a pipe it follows it.
//!
//! # Recovery
//!
//! A process that does not answer is told under the table, and asked again for the next one. One that was started anew
//! counts from zero, as it does for Prometheus. If none answers at all, that ends the command.

mod metrics;
mod rows;

use std::{
    io::{IsTerminal, Write, stdout},
    time::Duration,
};

use chrono::{SecondsFormat, Utc};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};
use weft_config::Config;
use weft_discovery::Endpoint;

use crate::{
    admin_port::{self, Unanswered},
    arguments::Top,
    failure::Failure,
    process,
    routes::{Form, table},
};
use metrics::Reading;
use rows::Row;

/// Erases a terminal and goes to its upper left corner (ECMA-48, ED and CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";
const HEAD: &[&str] = &[
    "DOMAIN",
    "CALLS/S",
    "ERRORS",
    "P50",
    "P99",
    "IN FLIGHT",
    "LIMIT",
    "SHED/S",
    "RETRIES/S",
    "EJECTED",
    "BACKLOG",
    "PARKED",
    "CERTIFICATE",
];

/// Draws tables until there were as many as asked for.
pub(crate) fn run(config: &Config, asked: &Top, out: &mut impl Write) -> Result<(), Failure> {
    process::bare(watch(config, asked, out))?
}

async fn watch(config: &Config, asked: &Top, out: &mut impl Write) -> Result<(), Failure> {
    let processes = if asked.admin.is_empty() { vec![admin_port::own(config)] } else { asked.admin.clone() };
    let every = Duration::from_secs(asked.every);
    let mut next = Instant::now() + every;
    let mut before = readings(&processes).await;
    if before.iter().all(Result::is_err) {
        return before.into_iter().find_map(Result::err).map_or(Ok(()), |reason| Err(Failure::NoMetrics(reason)));
    }
    let mut drawn = 0;
    while asked.count.is_none_or(|count| drawn < count) {
        sleep_until(next).await;
        next = Instant::now() + every;
        let now = readings(&processes).await;
        draw(&before, &now, out).map_err(Failure::Output)?;
        drawn += 1;
        // A process that was away for a while is compared with what it told last.
        for (before, now) in before.iter_mut().zip(now) {
            if now.is_ok() || before.is_err() {
                *before = now;
            }
        }
    }
    Ok(())
}

async fn read(admin: &Endpoint) -> Result<Reading, Unanswered> {
    let text = admin_port::text(admin, "/metrics").await?;
    Ok(Reading::parse(&text, std::time::Instant::now()))
}

/// Asks all of them at once.
async fn readings(processes: &[Endpoint]) -> Vec<Result<Reading, Unanswered>> {
    join_all(processes.iter().map(read)).await
}

fn draw(
    before: &[Result<Reading, Unanswered>],
    now: &[Result<Reading, Unanswered>],
    out: &mut impl Write,
) -> std::io::Result<()> {
    let pairs = before.iter().zip(now).filter_map(|(before, now)| Some((before.as_ref().ok()?, now.as_ref().ok()?)));
    let mut table = table(Form::of_stdout(false), HEAD);
    for row in rows::of(pairs) {
        table.add_row(cells(&row));
    }
    let clear = if stdout().is_terminal() { CLEAR } else { "" };
    let answering = now.iter().filter(|reading| reading.is_ok()).count();
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    writeln!(out, "{clear}{time}  {answering} of {} processes answer\n{}", now.len(), table.trim_fmt())?;
    for unanswered in now.iter().filter_map(|reading| reading.as_ref().err()) {
        writeln!(out, "{unanswered}")?;
    }
    writeln!(out)?;
    out.flush()
}

fn cells(row: &Row) -> [String; 13] {
    let number = |value: Option<f64>| value.map_or_else(nothing, |value| format!("{value:.0}"));
    let rate = |value: f64| if value == 0.0 { nothing() } else { format!("{value:.1}") };
    [
        row.domain.clone(),
        format!("{:.1}", row.calls),
        row.errors.map_or_else(nothing, |share| format!("{:.2} %", share * 100.0)),
        row.median.map_or_else(nothing, seconds),
        row.tail.map_or_else(nothing, seconds),
        number(row.in_flight),
        number(row.limit),
        rate(row.shed),
        rate(row.retries),
        if row.ejected == 0 { nothing() } else { row.ejected.to_string() },
        number(row.backlog),
        number(row.parked),
        row.certificate.map_or_else(nothing, remaining),
    ]
}

/// Stands where there is nothing, so that columns can be cut at blanks.
fn nothing() -> String {
    "-".to_owned()
}

fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.1}ms", value * 1000.0) } else { format!("{value:.2}s") }
}

/// How long a certificate holds, by its two greatest units.
fn remaining(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "EXPIRED".to_owned();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive, and a cast saturates")]
    let minutes = (seconds / 60.0) as u64;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_told_in_two_units() {
        for (seconds, told) in [(-1.0, "EXPIRED"), (59.0, "0m"), (3720.0, "1h2m"), (90_000.0, "1d1h")] {
            assert_eq!(remaining(seconds), told);
        }
    }
}
