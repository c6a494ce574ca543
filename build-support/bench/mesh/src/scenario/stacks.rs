//! weft's client and server stacks against tonic's, over the same TLS.

use super::{Bench, Contender, Sample, demand_success, median};
use crate::{
    peer::{Load, Method, Order, Stack},
    report::Report,
};

const CALLERS: usize = 64;
const SMALL: usize = 100;
const LARGE: usize = 10_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut tonic = bench.contender("bare tonic", Stack::Tonic)?;
    let mut weft = bench.contender("weft", Stack::Weft)?;
    let order = |size, method| Order { seconds: bench.seconds, size, load: Load::Closed(CALLERS), method };
    report.line("### Against bare tonic\n");
    report.line(
        "One connection of mutual TLS 1.3, 64 calls at once, the same message both ways. weft does all that it does between \
         domains: balancer, breaker, retry budget, deadline, the user's assertion, caller rules, roles, a limit by tenant, \
         validation, metrics, spans (1 % recorded and exported). tonic does none of it.\n",
    );
    report
        .line("| | calls per CPU-second | weft to tonic | client, µs | server, µs | allocations, client | allocations, server |");
    report.line("|---|---|---|---|---|---|---|");
    for (what, size, method) in [
        ("100 B", SMALL, Method::Echo),
        ("10 KB", LARGE, Method::Echo),
        ("100 B, weft writes an access log", SMALL, Method::EchoForUser),
    ] {
        let samples = bench.contest(&mut [(&mut tonic, order(size, Method::Echo)), (&mut weft, order(size, method))])?;
        for ((contender, own), ratio) in [&tonic, &weft].into_iter().zip(&samples).zip([false, true]) {
            let ratio = ratio.then(|| median_ratio(own, &samples[0]));
            row(report, &format!("{}, {what}", contender.name), own, ratio)?;
        }
    }
    report.line("");
    memory(report, &tonic, &weft)
}

/// The median of the ratios round by round: what disturbed a round disturbed both.
fn median_ratio(own: &[Sample], base: &[Sample]) -> f64 {
    let mut ratios: Vec<_> = own.iter().zip(base).map(|(own, base)| own.rate() / base.rate()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

fn row(report: &mut Report, what: &str, samples: &[Sample], ratio: Option<f64>) -> anyhow::Result<()> {
    demand_success(what, samples)?;
    let of = |figure: &dyn Fn(&Sample) -> f64| median(samples, figure);
    report.line(&format!(
        "| {what} | {:.0} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
        of(&Sample::rate),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        of(&|sample| sample.cost(0)),
        of(&|sample| sample.cost(1)),
        of(&|sample| sample.allocations()[0]),
        of(&|sample| sample.allocations()[1]),
    ));
    Ok(())
}

fn memory(report: &mut Report, tonic: &Contender, weft: &Contender) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
    let megabytes = |contender: &Contender| anyhow::Ok(contender.memory()?.map(|bytes| bytes as f64 / 1e6));
    let (bare, woven) = (megabytes(tonic)?, megabytes(weft)?);
    report.line("| memory after this, MB | tonic | weft | added |\n|---|---|---|---|");
    for (kind, name) in ["client", "server"].iter().enumerate() {
        report.line(&format!("| {name} | {:.1} | {:.1} | {:.1} |", bare[kind], woven[kind], woven[kind] - bare[kind]));
    }
    report.line("");
    Ok(())
}
