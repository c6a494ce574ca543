//! Starting and stopping telemetry.

use std::io::{self, IsTerminal};
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::call_lines::CallLines;
use crate::error::TelemetryError;
use crate::export;
use crate::json_lines::JsonLines;
use crate::sampling;
use crate::spans::TRACE;

/// How long the collector may take to accept the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What telemetry needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is logged, in the syntax of [`EnvFilter`]: `info`, `warn,weft_edge=debug`.
    pub level: String,
    /// How lines look.
    pub format: Format,
    /// The OTLP collector (`http://localhost:4317`); traces stay local without it.
    pub otel_endpoint: Option<String>,
    /// The share of traces that are recorded, 0 to 1, when the caller has not decided already.
    pub sample_ratio: f64,
    /// The name of this process in traces: `service.name`.
    pub service_name: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Pretty if stderr is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// A JSON object a line.
    Json,
}

/// Telemetry that runs. Shut it down at the end, or the last spans are lost.
#[derive(Debug)]
#[must_use = "the last spans are lost unless the guard is shut down"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    filter: LogFilter,
}

/// What is logged, changed while the process runs. Clones share it.
#[derive(Clone, Debug)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// What is logged now.
    ///
    /// # Errors
    ///
    /// When telemetry is gone.
    pub fn get(&self) -> Result<String, TelemetryError> {
        self.0.with_current(ToString::to_string).map_err(TelemetryError::Gone)
    }

    /// Logs this from now on, in the syntax of [`EnvFilter`].
    ///
    /// # Errors
    ///
    /// When it is malformed, or when telemetry is gone; what was logged before is logged on.
    pub fn set(&self, level: &str) -> Result<(), TelemetryError> {
        self.0.reload(filter(level)?).map_err(TelemetryError::Gone)
    }
}

/// Whether [`LogFilter::set`] would take this.
///
/// # Errors
///
/// When it is malformed.
pub fn check_level(level: &str) -> Result<(), TelemetryError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder().parse(level).map_err(|cause| TelemetryError::Level { level: level.to_owned(), cause })
}

/// Starts logs and traces for the whole process.
///
/// With an endpoint it must be called inside a Tokio runtime, as traces are sent on it.
///
/// # Errors
///
/// When a setting is malformed, or when telemetry has been started before.
pub fn init(settings: &Settings) -> Result<Guard, TelemetryError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
    let provider = export::provider(settings)?;
    sampling::set_ratio(settings.sample_ratio);
    // The level is that of lines: traces are recorded whatever is logged.
    let lines_only = filter_fn(|metadata| metadata.target() != TRACE).with_max_level_hint(LevelFilter::TRACE);
    let filter = filter.and(lines_only);
    Registry::default()
        .with(lines(settings.format).with_filter(filter))
        .with(provider.as_ref().map(export::layer))
        .try_init()
        .map_err(TelemetryError::Started)?;
    Ok(Guard { provider, filter: LogFilter(handle) })
}

fn lines<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let terminal = io::stderr().is_terminal();
    match format {
        Format::Auto if !terminal => Box::new(JsonLines::new(io::stderr)),
        Format::Json => Box::new(JsonLines::new(io::stderr)),
        Format::Auto | Format::Pretty => {
            let lines = fmt::layer().compact().fmt_fields(Named(DefaultFields::new())).with_writer(io::stderr);
            // On a terminal the default stays, which heeds NO_COLOR.
            if terminal { Box::new(lines) } else { Box::new(lines.with_ansi(false)) }
        }
    }
}

/// The fields of a line, and the names of the call that it belongs to.
struct Named(DefaultFields);

impl<'w> FormatFields<'w> for Named {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> std::fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        let mut written = Ok(());
        CallLines::show(|name, value| written = written.and_then(|()| write!(writer, " {name}={value}")));
        written
    }
}

impl Guard {
    /// What is logged.
    pub fn log_filter(&self) -> LogFilter {
        self.filter.clone()
    }

    /// Sends the spans that are still queued and stops the export.
    ///
    /// # Errors
    ///
    /// When the collector does not take them within five seconds.
    pub async fn shutdown(self) -> Result<(), TelemetryError> {
        let Some(provider) = self.provider else { return Ok(()) };
        // It blocks until the runtime's own tasks have sent the spans.
        task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT))
            .await
            .map_err(TelemetryError::FlushTask)?
            .map_err(TelemetryError::Flush)
    }
}
