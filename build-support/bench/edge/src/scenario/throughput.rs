//! Requests for each second that the proxy was on a processor, and the memory that it holds afterwards.

use crate::{
    arguments::Who,
    contender::Contender,
    contest::{Bench, Sample, median, median_ratio},
    load::Pace,
    report::Report,
    request,
};

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let contenders = bench.contenders()?;
    report.line("### Requests per CPU-second\n");
    report.line(
        "JSON to gRPC and back, but for the last row; a stream comes as JSON lines. Requests are strict, errors are JSON, sizes and \
         times are limited, nobody writes a log. weft gives each request an id, a trace and a place among those of its endpoint \
         besides, and counts it by method. The bare proxy is hyper, the `h2` crate and weft's transcoder, and does nothing that can \
         be left out: the ceiling for any proxy that is built on these.\n",
    );
    header(report, "", &contenders);
    for load in request::loads().iter().filter(|load| load.name.contains(&bench.load)) {
        let samples = bench.contest(&contenders, load, load.connections, Pace::Closed)?;
        let base = base(&contenders, &samples);
        let figures = samples.iter().zip(&contenders).flat_map(|(own, contender)| {
            let ratio = (contender.who != Who::Envoy).then(|| (median_ratio(own, base, Sample::rate), 2));
            [(median(own, Sample::rate), 0)].into_iter().chain(ratio)
        });
        report.row(&format!("{}, {} connections", load.name, load.connections), figures);
        eprintln!("{}", report.text().lines().last().unwrap_or_default());
    }
    report.line("");
    memory(report, &contenders)
}

/// The samples that others are compared with: Envoy's, if it is there.
pub(super) fn base<'s>(contenders: &[Contender], samples: &'s [Vec<Sample>]) -> &'s [Sample] {
    contenders.iter().zip(samples).find(|(contender, _)| contender.who == Who::Envoy).map_or(&[], |(_, samples)| samples)
}

/// The head of a table that has a column for each contender and one for its ratio to Envoy.
pub(super) fn header(report: &mut Report, first: &str, contenders: &[Contender]) {
    let names = contenders.iter().map(|contender| match contender.who {
        Who::Envoy => format!(" {} |", contender.name),
        _ => format!(" {0} | {0} to Envoy |", contender.name),
    });
    let names: String = names.collect();
    report.line(&format!("| {first} |{names}"));
    report.line(&format!("|{}", "---|".repeat(names.matches('|').count() + 1)));
}

fn memory(report: &mut Report, contenders: &[Contender]) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
    let megabytes = |contender: &Contender| anyhow::Ok(contender.process.memory()? as f64 / 1e6);
    let held = contenders.iter().map(megabytes).collect::<Result<Vec<_>, _>>()?;
    let envoy =
        contenders.iter().zip(&held).find(|(contender, _)| contender.who == Who::Envoy).map_or(f64::NAN, |(_, held)| *held);
    report.line("Memory after all of this, in MB:\n");
    header(report, "", contenders);
    let figures = contenders.iter().zip(held).flat_map(|(contender, held)| {
        let ratio = (contender.who != Who::Envoy).then_some((held / envoy, 2));
        [(held, 1)].into_iter().chain(ratio)
    });
    report.row("resident", figures);
    report.line("");
    Ok(())
}
