//! `[domains.<name>]`: settings that only one domain knows.
//!
//! They are opaque here. A domain reads its own table at its start into its own type, and mistakes
//! are then reported with their source as those of any other setting. As nobody else can tell which
//! of them are secrets, all of them are hidden from `Debug` and from the rendered configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ConfigError;
use crate::layers;
use crate::setting::{Setting, Shape};
use crate::source::Source;

pub(crate) const SETTINGS: &[Setting] = &[Setting::text(
    "domains.<domain>.<setting>",
    "a value",
    "Settings of a single domain; the domain's own documentation lists them. In a variable, a value that reads as \
     TOML (a number, true, a quoted string, ..) is taken as such, anything else as text.",
)
.shape(Shape::Free)
.otherwise("the domain's own default")
.secret()];

/// Settings that only one domain knows, by domain.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Domains {
    tables: BTreeMap<String, toml::Table>,
    #[serde(skip)]
    pub(crate) sources: BTreeMap<Vec<String>, Source>,
}

impl Domains {
    /// The domains that have settings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The settings of one domain as its own type; an empty table if there are none.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Domain`] when the type refuses the table. Give the type
    /// `#[serde(deny_unknown_fields)]`, so that misspelt keys are refused too.
    pub fn read<T: DeserializeOwned>(&self, domain: &str) -> Result<T, ConfigError> {
        let table = self.tables.get(domain).cloned().unwrap_or_default();
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
            let mut path = vec!["domains".to_owned(), domain.to_owned()];
            path.extend(layers::keys(error.path()));
            let origin = layers::nearest_entry(&self.sources, &path).map(|(_, source)| source.clone());
            ConfigError::Domain {
                origin: origin.unwrap_or(Source::Default),
                setting: path.join("."),
                problem: without_value(error.inner().message()),
            }
        })
    }
}

impl fmt::Debug for Domains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.names().map(|name| (name, "***"))).finish()
    }
}

/// serde's messages on types and ranges quote the value; what was expected follows it.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((before, expected)) if before.starts_with("invalid ") => format!("the value is not {expected}"),
        _ => message.to_owned(),
    }
}
