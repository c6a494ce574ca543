//! The text of `.env.example`, from the settings table.

use std::fmt::Write as _;

use crate::section::settings;
use crate::setting::Fallback;

const HEAD: &str = "\
# Every setting of weft as an environment variable, with its default.
# Copy this file to .env and uncomment what you change. Settings may also stand in weft.toml
# (edge.port as `port` under `[edge]`) or in flags (--set edge.port=9000): flags win over variables,
# variables over the file.
# This file is made by `cargo run -p weft-config --example env_example > .env.example`.
";

/// The text of `.env.example`: every setting with its documentation, commented out.
pub fn env_example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = None;
    for setting in settings() {
        if setting.section() != section {
            section = setting.section();
            // Writing to a String does not fail.
            let _ = write!(text, "\n# === {} ===\n", section.unwrap_or_default());
        }
        let _ = write!(text, "\n# {}\n# Takes {}.", setting.about, setting.expected);
        if let Fallback::Otherwise(otherwise) = setting.fallback {
            let _ = write!(text, " Not set: {otherwise}.");
        }
        if let Some(told) = setting.changes.told() {
            let _ = write!(text, " It {told}.");
        }
        if !setting.aliases.is_empty() {
            let _ = write!(text, " {} is read too.", setting.aliases.join(", "));
        }
        let default = match setting.fallback {
            Fallback::Value(default) => default,
            Fallback::Otherwise(_) => "",
        };
        let _ = write!(text, "\n# {}={default}\n", setting.variable());
    }
    text
}
