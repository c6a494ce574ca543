//! The process around the domains: threads, telemetry, signals.

use std::{future::Future, io};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use weft_config::{Config, LogFormat};
use weft_telemetry::{Format, LogFilter, Settings};

use crate::failure::Failure;

/// Blocking work is name resolution, files and password hashes; the last have a limit of their own.
const MAX_BLOCKING_THREADS: usize = 32;

/// Runs `work` to its end, with telemetry under the name `service`.
pub(crate) fn run<W>(config: &Config, service: &str, work: impl FnOnce(LogFilter) -> W) -> Result<(), Failure>
where
    W: Future<Output = Result<(), Failure>>,
{
    runtime().map_err(Failure::Process)?.block_on(async {
        let telemetry = weft_telemetry::init(&telemetry(config, service))?;
        let done = work(telemetry.log_filter()).await;
        // Lost traces cost whoever reads them, not the work that is done.
        if let Err(error) = telemetry.shutdown().await {
            tracing::warn!(%error, "telemetry did not end well");
        }
        done
    })
}

/// Runs `work` to its end, without telemetry.
pub(crate) fn bare<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(runtime().map_err(Failure::Process)?.block_on(work))
}

/// One worker thread a core, which is Tokio's own default.
fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().max_blocking_threads(MAX_BLOCKING_THREADS).thread_name("weft").enable_all().build()
}

fn telemetry(config: &Config, service: &str) -> Settings {
    Settings {
        level: config.log.level.clone(),
        format: match config.log.format {
            LogFormat::Auto => Format::Auto,
            LogFormat::Pretty => Format::Pretty,
            LogFormat::Json => Format::Json,
        },
        otel_endpoint: config.otel.endpoint.as_ref().map(ToString::to_string),
        sample_ratio: config.otel.sample_ratio,
        service_name: service.to_owned(),
    }
}

/// What asks the process to stop: SIGTERM from whoever runs it, SIGINT from a keyboard.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let heard = |kind| signal(kind).map_err(Failure::Process);
        Ok(Self { terminate: heard(SignalKind::terminate())?, interrupt: heard(SignalKind::interrupt())? })
    }

    /// Waits for the next signal, and tells its name.
    pub(crate) async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
