//! weft against what it stands for: bare tonic in plain text, with an Envoy on each side doing mutual TLS.

use super::{Bench, Contender, Sample, demand_success, median, serve};
use crate::{
    peer::{Load, Method, Order, Stack},
    process::demand_program,
    report::Report,
    sidecar,
};

const SIZE: usize = 100;
const CALLERS: usize = 64;
/// Calls a second that both are offered, from idle to most of what the sidecars can do.
const OFFERED: [u32; 3] = [500, 2000, 4000];

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    demand_program(&bench.envoy, "build-support/tools.sh envoy")?;
    let (server, port) = serve(&bench.server(Stack::Tonic, false))?;
    let (between, port) = sidecar::pair(bench, port)?;
    let client = bench.call(Stack::Tonic, false, vec![port])?;
    let mut envoy = Contender::new("bare tonic between two Envoys", client, vec![server], between.into());
    let mut weft = bench.contender("weft", Stack::Weft)?;

    report.line("### Against two sidecars\n");
    report.line(
        "Bare tonic in plain text on both ends, with an Envoy on each side that does the mutual TLS 1.3 (one worker each, no \
         log, no traces, its own choice of cipher), against weft with all its stacks. Client and first Envoy share a processor, \
         second Envoy and server the other. 100 B, the time of all processes counts.\n",
    );
    report.line("| 64 calls at once | calls per CPU-second | weft to Envoy | ends, µs a call | sidecars, µs a call |");
    report.line("|---|---|---|---|---|");
    let order = |load| Order { seconds: bench.seconds, size: SIZE, load, method: Method::Echo };
    let closed = order(Load::Closed(CALLERS));
    let samples = bench.contest(&mut [(&mut envoy, closed), (&mut weft, closed)])?;
    let rate = |samples: &[Sample]| median(samples, Sample::rate);
    for (contender, own) in [&envoy, &weft].into_iter().zip(&samples) {
        demand_success(contender.name, own)?;
        report.line(&format!(
            "| {} | {:.0} | {:.2} | {:.1} | {:.1} |",
            contender.name,
            rate(own),
            rate(own) / rate(&samples[0]),
            median(own, |sample| sample.cost(0) + sample.cost(1)),
            median(own, |sample| sample.cost(2)),
        ));
    }
    report.line(
        "\nThe same at equal offered load: the time from when a call was due until its answer, in microseconds, and the calls that \
         were refused, as weft refuses them where the processor is not enough for all.\n",
    );
    report.line("| calls a second | Envoy p50 | weft p50 | Envoy p99 | weft p99 | p99, weft to Envoy | Envoy failed, % | weft failed, % |");
    report.line("|---|---|---|---|---|---|---|---|");
    for offered in OFFERED {
        let open = order(Load::Open(offered));
        let samples = bench.contest(&mut [(&mut envoy, open), (&mut weft, open)])?;
        let p50 = |samples: &[Sample]| median(samples, |sample| f64::from(sample.outcome.p50_micros));
        let p99 = |samples: &[Sample]| median(samples, |sample| f64::from(sample.outcome.p99_micros));
        let failed = |samples: &[Sample]| median(samples, |sample| 100.0 - sample.success());
        let (envoy, weft) = (&samples[0], &samples[1]);
        let (a, b) = (p99(envoy), p99(weft));
        report.line(&format!(
            "| {offered} | {:.0} | {:.0} | {a:.0} | {b:.0} | {:.2} | {:.2} | {:.2} |",
            p50(envoy),
            p50(weft),
            b / a,
            failed(envoy),
            failed(weft),
        ));
    }
    report.line("");
    Ok(())
}
