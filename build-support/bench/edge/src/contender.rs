//! The proxies that are measured.

use std::{fs, process::Command};

use anyhow::ensure;
use serde_json::Value;
use weft_test_ports::free_port;

use crate::{
    arguments::{Arguments, Who},
    contest::Bench,
    load,
    process::{Process, demand_program},
    request::{Load, Request},
};

const ENVOY: &str = include_str!("../envoy/envoy.yaml");

/// A proxy that listens.
pub(crate) struct Contender {
    pub(crate) who: Who,
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) port: u16,
}

/// Fails if a program is missing.
pub(crate) fn demand_programs(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.who.contains(&Who::Envoy) {
        demand_program(&arguments.envoy, "build-support/tools.sh envoy")?;
    }
    if arguments.who.contains(&Who::Gateway) {
        demand_program(&arguments.gateway, "build-support/bench/edge/grpc-gateway/build.sh")?;
    }
    Ok(())
}

/// How a stream leaves Envoy, whose configuration says it for all requests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Streams {
    /// As JSON lines.
    Lines,
    /// As server-sent events.
    Events,
}

impl Streams {
    fn option(self) -> &'static str {
        match self {
            Self::Lines => "stream_newline_delimited",
            Self::Events => "stream_sse_style_delimited",
        }
    }
}

impl Contender {
    pub(crate) fn start(who: Who, bench: &Bench, streams: Streams) -> anyhow::Result<Self> {
        let (cpu, upstream) = (bench.processors.proxy, bench.upstream);
        let (name, (process, port)) = match who {
            Who::Envoy => ("Envoy", envoy(bench, streams)?),
            Who::Gateway => ("grpc-gateway", gateway(bench)?),
            Who::Weft => {
                let descriptors = bench.descriptors.to_string_lossy();
                ("weft", Process::own(&["weft", &descriptors, &upstream.to_string()], cpu)?)
            }
            Who::Bare => ("bare proxy", Process::own(&["bare", &upstream.to_string()], cpu)?),
        };
        Ok(Self { who, name, process, port })
    }

    /// How a message begins in a stream of events from it; grpc-gateway has none, and sends lines.
    pub(crate) fn event(&self) -> &'static [u8] {
        if self.who == Who::Gateway { b"{\"result\":{" } else { b"data: {" }
    }

    /// Whether it can do this at all.
    pub(crate) fn serves(&self, load: &Load) -> bool {
        self.who != Who::Gateway || matches!(load.request, Request::Http(_))
    }

    /// Fails unless it answers as it has to.
    pub(crate) async fn demand_answer(&self, load: &Load) -> anyhow::Result<()> {
        let body = load::one(self.port, &load.request).await?;
        if let Request::Grpc(_, frame) = &load.request {
            ensure!(body == frame, "{} answers {} with {body:?}", self.name, load.name);
            return Ok(());
        }
        let values = serde_json::Deserializer::from_slice(&body).into_iter::<Value>().collect::<Result<Vec<_>, _>>()?;
        // grpc-gateway puts each message of a stream in an object of its own.
        let is_wrapped = self.who == Who::Gateway && load.answer.len() > 1;
        let values: Vec<_> =
            values.into_iter().map(|mut value| if is_wrapped { value["result"].take() } else { value }).collect();
        ensure!(values == load.answer, "{} answers {} with {}", self.name, load.name, String::from_utf8_lossy(&body));
        Ok(())
    }
}

fn envoy(bench: &Bench, streams: Streams) -> anyhow::Result<(Process, u16)> {
    let port = free_port()?;
    let config = ENVOY
        .replace("@IN@", &port.to_string())
        .replace("@OUT@", &bench.upstream.to_string())
        .replace("@STREAMS@", streams.option())
        .replace("@DESCRIPTORS@", &bench.descriptors.to_string_lossy());
    let path = bench.folder().join("envoy.yaml");
    fs::write(&path, config)?;
    let mut command = Command::new(&bench.envoy);
    command.arg("--config-path").arg(&path).args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
    let process = Process::program(&mut command, bench.processors.proxy, port, &bench.folder().join("envoy.log"))?;
    Ok((process, port))
}

fn gateway(bench: &Bench) -> anyhow::Result<(Process, u16)> {
    let port = free_port()?;
    let mut command = Command::new(&bench.gateway);
    command.arg(format!("127.0.0.1:{port}")).arg(format!("127.0.0.1:{}", bench.upstream)).env("GOMAXPROCS", "1");
    let process = Process::program(&mut command, bench.processors.proxy, port, &bench.folder().join("gateway.log"))?;
    Ok((process, port))
}
