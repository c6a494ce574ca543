//! Two Envoys between a client and a server that know of no TLS.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use weft_test_ports::free_port;
use weft_workload_identity::CertificateSource;

use crate::{
    peer::{BENCH, CALLER},
    process::{Process, Processor},
    scenario::Bench,
};

const CLIENT: &str = include_str!("../envoy/client.yaml");
const SERVER: &str = include_str!("../envoy/server.yaml");
/// The longest that Envoy may take to listen.
const START: Duration = Duration::from_secs(20);

/// Starts a sidecar for the client and one for the server at `server`. Gives both, and where the client calls.
pub(crate) fn pair(bench: &Bench, server: u16) -> anyhow::Result<([Process; 2], u16)> {
    let (at_client, at_server) = (free_port()?, free_port()?);
    let behind = start(bench, "server", SERVER, Processor::Server, at_server, server)?;
    let before = start(bench, "client", CLIENT, Processor::Client, at_client, at_server)?;
    Ok(([before, behind], at_client))
}

fn start(bench: &Bench, name: &str, template: &str, processor: Processor, from: u16, to: u16) -> anyhow::Result<Process> {
    let id = |workload: &str| anyhow::Ok(bench.authority.identity(&workload.parse()?)?.spiffe_id().as_str().to_owned());
    let config = template
        .replace("@IN@", &from.to_string())
        .replace("@OUT@", &to.to_string())
        .replace("@CA@", &bench.certificates().to_string_lossy())
        .replace("@CALLER_ID@", &id(CALLER)?)
        .replace("@BENCH_ID@", &id(BENCH)?);
    let folder = bench.certificates().parent().unwrap_or(Path::new("."));
    let (path, log) = (folder.join(format!("{name}.yaml")), folder.join(format!("{name}.log")));
    fs::write(&path, config)?;
    let mut command = Command::new(&bench.envoy);
    command.arg("--config-path").arg(&path).args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    let process = Process::start(&mut command, processor)?;
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", from)).is_err() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        anyhow::ensure!(begun.elapsed() < START, "Envoy does not listen: {said}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(process)
}
