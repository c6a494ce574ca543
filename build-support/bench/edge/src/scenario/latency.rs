//! How long answers take: of one client alone, and of many at a rate that all contenders can bear.

use super::throughput::{base, header};
use crate::{
    arguments::Who,
    contest::{Bench, Sample, median, median_ratio},
    load::Pace,
    report::Report,
    request,
};

/// Requests a second that all are offered.
const OFFERED: [u32; 2] = [2000, 6000];

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let contenders = bench.contenders()?;
    let get = request::get();
    report.line("### Times of answers\n");
    report.line(
        "The GET from above, in microseconds from when a request was due until its answer had come; less than one is better. Load \
         and server have their part in it, the same for all.\n",
    );
    header(report, "", &contenders);
    let mut row = |name: &str, samples: &[Vec<Sample>], percent: usize| {
        let base = base(&contenders, samples);
        let at = |sample: &Sample| sample.answers.percentile(percent);
        let figures = samples.iter().zip(&contenders).flat_map(|(own, contender)| {
            let ratio = (contender.who != Who::Envoy).then(|| (median_ratio(own, base, at), 2));
            [(median(own, at), 0)].into_iter().chain(ratio)
        });
        report.row(name, figures);
    };
    let alone = bench.contest(&contenders, &get, 1, Pace::Closed)?;
    row("p50, one connection", &alone, 50);
    for offered in OFFERED {
        let samples = bench.contest(&contenders, &get, get.connections, Pace::Open(offered))?;
        row(&format!("p50, {offered} requests a second"), &samples, 50);
        row(&format!("p99, {offered} requests a second"), &samples, 99);
    }
    report.line("");
    Ok(())
}
