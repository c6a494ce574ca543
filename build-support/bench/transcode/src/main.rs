//! Measures all contenders in one run, interleaved, and prints the tables of `docs/benchmarks.md`.
//!
//! Each contender runs for a slice of time in each of seven rounds; its figure is the median of the rounds, so that
//! what else the machine does falls on all alike. What counts is the time that the thread was on a processor, as the
//! kernel tells it (Linux). `--write FILE` also puts the tables into the file, between the
//! lines `<!-- transcode -->` and `<!-- /transcode -->`.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a report of measurements"
)]

mod routes;
mod stopwatch;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stopwatch::Stopwatch;

use weft_bench_transcode::{Contest, Shape, Size, Task};

const ROUNDS: usize = 7;
const MIB: f64 = 1_048_576.0;

fn main() -> anyhow::Result<()> {
    let slice = Duration::from_millis(std::env::var("WEFT_BENCH_MILLIS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(60));
    let mut report = String::new();
    for (title, reading) in [("JSON to wire", true), ("Wire to JSON", false)] {
        write!(report, "### {title}\n\nMiB of JSON a second; in brackets, how many times as fast weft is.\n\n")?;
        let mut header = true;
        for shape in Shape::ALL {
            for size in Size::ALL {
                let contest = Contest::new(shape, size)?;
                contest.check()?;
                let tasks = if reading { contest.readers() } else { contest.printers() };
                if std::mem::take(&mut header) {
                    let names: Vec<_> = tasks.iter().map(|(name, _)| *name).collect();
                    writeln!(report, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()))?;
                }
                let rates = measure(&tasks, contest.json.len(), slice);
                write!(report, "| {}, {} |", shape.message().to_lowercase(), size.name())?;
                for (i, rate) in rates.iter().enumerate() {
                    let ratio = if i == 0 { String::new() } else { format!(" ({:.2})", rates[0] / rate) };
                    write!(report, " {rate:.0}{ratio} |")?;
                }
                writeln!(report)?;
            }
        }
        writeln!(report)?;
    }
    routes::report(&mut report, slice)?;
    println!("{report}");
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--write") {
        write_to(&arguments.next().unwrap_or_default(), &report)?;
    }
    Ok(())
}

/// MiB a second of each task.
fn measure(tasks: &[Task<'_>], bytes: usize, slice: Duration) -> Vec<f64> {
    let times = tasks.iter().map(|(_, task)| time(task, slice / 4)).collect::<Vec<_>>();
    let mut rounds = vec![Vec::new(); tasks.len()];
    for _ in 0..ROUNDS {
        for (i, (_, task)) in tasks.iter().enumerate() {
            let runs = (slice.as_secs_f64() / times[i]).max(1.0) as u64;
            let start = Stopwatch::start();
            (0..runs).for_each(|_| task());
            rounds[i].push(start.seconds() / runs as f64);
        }
    }
    rounds.into_iter().map(|round| bytes as f64 / MIB / median(round)).collect()
}

/// Seconds of one run, roughly.
fn time(task: &dyn Fn(), slice: Duration) -> f64 {
    let (start, mut runs) = (Instant::now(), 0);
    while start.elapsed() < slice {
        task();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write_to(path: &str, report: &str) -> anyhow::Result<()> {
    const BEGIN: &str = "<!-- transcode -->";
    const END: &str = "<!-- /transcode -->";
    let old = std::fs::read_to_string(path).unwrap_or_else(|_| format!("# Benchmarks\n\n{BEGIN}\n{END}\n"));
    let (before, rest) = old.split_once(BEGIN).unwrap_or((&old, ""));
    let after = rest.split_once(END).map_or("\n", |(_, after)| after);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let text = format!(
        "{BEGIN}\n## Transcoding\n\n`just bench-transcode` on{}, release profile, no target-cpu; processor time, seven interleaved rounds, medians.\n\nweft and prost-reflect learn the types at run time; pbjson and buffa generated code for them. Contenders go the whole way\nbetween JSON and wire, but those marked \"parse only\" stop at, and those marked \"print only\" begin with, a value of their own\ntype: half of the work, or less.\n\n{report}{END}",
        cpu.trim_start_matches(['\t', ' ', ':']).split('@').next().map(|name| format!(" {}", name.trim())).unwrap_or_default()
    );
    Ok(std::fs::write(path, format!("{before}{text}{after}"))?)
}
