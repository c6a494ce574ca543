//! Three endpoints, of which one is ten times slower and one fails at once: who is still served, and how fast.

use super::{Bench, Contender, Sample, median, serve};
use crate::{
    peer::{Load, Method, Order, ServerSettings, Stack},
    report::Report,
};

/// How long a sound endpoint takes, and the slow one.
const WORK_MILLIS: u64 = 2;
const SLOW: u64 = 10 * WORK_MILLIS;
const OFFERED: u32 = 500;
const SIZE: usize = 100;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.line("### Over uneven endpoints\n");
    report.line(&format!(
        "Three endpoints: one answers after {WORK_MILLIS} ms, one after {SLOW} ms, one says UNAVAILABLE at once. {OFFERED} calls a \
         second. weft runs over mutual TLS, tonic without. A call that weft may not repeat shows the balancer alone.\n",
    ));
    report.line("| | succeeded, % | p50, µs | p99, µs |\n|---|---|---|---|");
    let mut contenders = [
        (contender(bench, "weft, the method is READ", Stack::Weft)?, Method::Echo),
        (contender(bench, "weft, the method is NONE: sent once", Stack::Weft)?, Method::EchoOnce),
        (contender(bench, "tonic's balanced channel", Stack::TonicBalanced)?, Method::Echo),
        (contender(bench, "tonic's channels, round robin", Stack::TonicRoundRobin)?, Method::Echo),
    ];
    let order = |method| Order { seconds: bench.seconds, size: SIZE, load: Load::Open(OFFERED), method };
    let mut turns: Vec<_> = contenders.iter_mut().map(|(contender, method)| (contender, order(*method))).collect();
    let samples = bench.contest(&mut turns)?;
    for ((contender, _), own) in contenders.iter().zip(&samples) {
        report.line(&format!(
            "| {} | {:.2} | {:.0} | {:.0} |",
            contender.name,
            median(own, Sample::success),
            median(own, |sample| f64::from(sample.outcome.p50_micros)),
            median(own, |sample| f64::from(sample.outcome.p99_micros)),
        ));
    }
    report.line("");
    Ok(())
}

fn contender(bench: &Bench, name: &'static str, stack: Stack) -> anyhow::Result<Contender> {
    let tls = stack == Stack::Weft;
    let server = if tls { Stack::Weft } else { Stack::Tonic };
    let sound = ServerSettings { work_millis: WORK_MILLIS, ..bench.server(server, tls) };
    let slow = ServerSettings { work_millis: SLOW, ..sound.clone() };
    let failing = ServerSettings { fails: true, ..sound.clone() };
    let (mut servers, mut ports) = (Vec::new(), Vec::new());
    for settings in [sound, slow, failing] {
        let (server, port) = serve(&settings)?;
        servers.push(server);
        ports.push(port);
    }
    let client = bench.call(stack, tls, ports)?;
    Ok(Contender::new(name, client, servers, Vec::new()))
}
