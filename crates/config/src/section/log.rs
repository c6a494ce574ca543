//! `[log]`: log lines.

use serde::Deserialize;

use crate::setting::Setting;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "log.level",
        "a filter such as \"info\" or \"warn,weft_edge=debug\"",
        "What is logged: a level, or levels by module, as `tracing-subscriber`'s EnvFilter reads them.",
    )
    .default("info")
    .alias(&["RUST_LOG"])
    .running(),
    Setting::text(
        "log.format",
        "one of \"auto\", \"pretty\", \"json\"",
        "How lines look; \"auto\" is pretty on a terminal and JSON elsewhere.",
    )
    .default("auto"),
];

/// Log lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged, in the syntax of `tracing-subscriber`'s `EnvFilter`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// A JSON object a line.
    Json,
}
