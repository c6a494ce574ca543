//! What keeps telemetry from starting or from finishing.

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::OTelSdkError;
use tokio::task::JoinError;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Telemetry could not start, or could not send all it held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The level is no filter.
    #[error("log.level: {level:?} is not a filter: {cause}")]
    Level {
        /// The level as it was set.
        level: String,
        /// What is wrong with it.
        #[source]
        cause: ParseError,
    },
    /// The log's filter is no more, as telemetry has ended.
    #[error("log.level: {0}")]
    Gone(#[source] tracing_subscriber::reload::Error),
    /// The share of traces to record is not between 0 and 1.
    #[error("otel.sample_ratio: {0} is not between 0 and 1")]
    SampleRatio(f64),
    /// The collector's address cannot be used.
    #[error("otel.endpoint: {0}")]
    Endpoint(#[source] ExporterBuildError),
    /// Traces are exported on a Tokio runtime, and there is none.
    #[error("otel.endpoint: traces are exported on a Tokio runtime, start telemetry inside one")]
    NoRuntime,
    /// Telemetry was started before in this process.
    #[error("telemetry has been started already: {0}")]
    Started(#[source] TryInitError),
    /// The spans still queued could not be sent.
    #[error("the last traces were not sent: {0}")]
    Flush(#[source] OTelSdkError),
    /// The task that sends the last spans did not end.
    #[error("the last traces were not sent: {0}")]
    FlushTask(#[source] JoinError),
}
