//! `[events]`: events between domains.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::duration(
        "events.lease",
        "How long a process that is gone keeps others from relaying and handling events in its place.",
    )
    .default("10s"),
    Setting::duration("events.retention", "How long a domain keeps the events that it has published, once they are sent.")
        .default("7d"),
];

/// Events between domains.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How long a lease holds that is not renewed.
    #[serde(deserialize_with = "units::positive_duration")]
    pub lease: Duration,
    /// How long a domain keeps the events that it has published.
    #[serde(deserialize_with = "units::positive_duration")]
    pub retention: Duration,
}
