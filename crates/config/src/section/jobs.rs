//! `[jobs]`: work at its time.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[Setting::duration(
    "jobs.lease",
    "How long a process that is gone keeps others from running, in its place, the jobs and sagas that it was in the middle of.",
)
.default("30s")];

/// Work at its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// How long a lease holds that is not renewed.
    #[serde(deserialize_with = "units::positive_duration")]
    pub lease: Duration,
}
