//! Export of spans by OTLP over gRPC.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::error::TelemetryError;
use crate::init::Settings;
use crate::root;
use crate::spans::LINES;

/// What the log lines of a request say is no part of its trace. Sending spans makes spans of its own in these; exporting them would never end.
const OWN_TRANSPORT: [&str; 5] = ["h2", "hyper", "opentelemetry", "tonic", "tower"];

/// The provider that sends spans to the endpoint; none without an endpoint.
pub(crate) fn provider(settings: &Settings) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if !(0.0..=1.0).contains(&settings.sample_ratio) {
        return Err(TelemetryError::SampleRatio(settings.sample_ratio));
    }
    let Some(endpoint) = &settings.otel_endpoint else { return Ok(None) };
    Handle::try_current().map_err(|_| TelemetryError::NoRuntime)?;
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https:") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let resource = Resource::builder().with_service_name(settings.service_name.clone()).build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter.build().map_err(TelemetryError::Endpoint)?)
        .with_id_generator(root::Ids::default())
        .with_sampler(Sampler::ParentBased(Box::new(root::OnlyBegun)))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}

/// The layer that turns `tracing` spans into spans of the provider.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let exported = filter_fn(|metadata| {
        let root = metadata.target().split("::").next().unwrap_or_default();
        *metadata.level() <= Level::INFO && metadata.target() != LINES && !OWN_TRANSPORT.contains(&root)
    })
    .with_max_level_hint(Level::INFO);
    // What a span is entered for is no event, and contexts are carried by spans and never by threads:
    // both would cost every call several looks at the clock.
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("weft"))
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_location(false)
        .with_threads(false)
        .with_filter(exported)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::init::Format;

    fn with_endpoint(endpoint: &str) -> Settings {
        Settings {
            level: "info".to_owned(),
            format: Format::Auto,
            otel_endpoint: Some(endpoint.to_owned()),
            sample_ratio: 0.5,
            service_name: "weft-test".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_https_endpoint_is_accepted() {
        assert!(provider(&with_endpoint("https://collector.example:4317")).unwrap().is_some());
    }

    #[tokio::test]
    async fn an_endpoint_that_is_no_address_is_refused() {
        let refusal = provider(&with_endpoint("http://exa mple")).unwrap_err().to_string();
        assert!(refusal.starts_with("otel.endpoint: "), "{refusal}");
    }
}
