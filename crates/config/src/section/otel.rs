//! `[otel]`: export of traces.

use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::setting::{Setting, Shape};
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "otel.endpoint",
        "an http:// or https:// address without a password",
        "The OpenTelemetry collector that traces are sent to, by OTLP over gRPC: http://localhost:4317.",
    )
    .otherwise("traces stay in the process")
    .alias(&["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    Setting::text(
        "otel.sample_ratio",
        "a number from 0 to 1",
        "The share of traces that are recorded, when the caller has not decided already.",
    )
    .shape(Shape::Number)
    .default("1.0"),
];

/// Export of traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otel {
    /// The collector's address; no export without it.
    #[serde(default, deserialize_with = "collector")]
    pub endpoint: Option<Url>,
    /// The share of traces that are recorded, 0 to 1.
    #[serde(deserialize_with = "ratio")]
    pub sample_ratio: f64,
}

fn collector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::parse_http_url(&text).map(Some).map_err(de::Error::custom)
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(de::Error::custom("not between 0 and 1")) }
}
