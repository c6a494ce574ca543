//! The merged values, each with its source.

use std::collections::BTreeMap;
use std::fmt;

use serde_path_to_error::Segment;

use crate::error::ConfigError;
use crate::redact;
use crate::section::settings;
use crate::setting::{self, Fallback, Lookup};
use crate::{Config, Source};

/// A value and where it came from.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: toml::Value,
    pub(crate) source: Source,
}

/// Values by path; a later layer replaces what an earlier one set.
#[derive(Clone, Default)]
pub(crate) struct Layers {
    entries: BTreeMap<Vec<String>, Entry>,
}

impl Layers {
    /// The lowest layer: the defaults of the settings table.
    pub(crate) fn of_defaults() -> Self {
        let mut layers = Self::default();
        for setting in settings() {
            if let Fallback::Value(text) = setting.fallback {
                layers.put(split(setting.path), Entry { value: setting.shape.read(text), source: Source::Default });
            }
        }
        layers
    }

    /// Sets a value, and forgets lower values that it replaces.
    pub(crate) fn set(&mut self, path: Vec<String>, value: toml::Value, source: Source) -> Result<(), ConfigError> {
        self.forget_alternatives(&path, &source)?;
        self.put(path, Entry { value, source });
        Ok(())
    }

    /// Puts a value in its place, and forgets those at paths that cannot exist beside it.
    pub(crate) fn put(&mut self, path: Vec<String>, entry: Entry) {
        self.entries.retain(|other, _| !(other.starts_with(&path) || path.starts_with(other)));
        self.entries.insert(path, entry);
    }

    /// A secret, a file that holds it and a key that does replace each other, but not within one source.
    fn forget_alternatives(&mut self, path: &[String], source: &Source) -> Result<(), ConfigError> {
        let Lookup::Setting(setting) = setting::lookup(path) else { return Ok(()) };
        for other in setting.alternatives() {
            let Some(entry) = self.entries.remove(&split(other.path)) else { continue };
            if is_one_source(&entry.source, source) {
                let setting = path.join(".");
                return Err(ConfigError::Twice { origin: source.clone(), setting, other: other.path.to_owned() });
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, path: &[String]) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(crate) fn remove(&mut self, path: &[String]) {
        self.entries.remove(path);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[String], &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_slice(), entry))
    }

    /// The typed configuration, or the first value that does not fit, with its source.
    pub(crate) fn read(&self) -> Result<Config, ConfigError> {
        let table = toml::Value::Table(self.table());
        let mut config: Config =
            serde_path_to_error::deserialize(table).map_err(|error| self.misfit(&keys(error.path()).collect::<Vec<_>>()))?;
        let own = self.iter().filter(|(path, _)| path.first().is_some_and(|first| first == "domains"));
        if !config.database.join_password() {
            return Err(self.misfit(&split("database.url")));
        }
        config.domains.sources = own.map(|(path, entry)| (path.to_vec(), entry.source.clone())).collect();
        Ok(config)
    }

    fn table(&self) -> toml::Table {
        let mut root = toml::Table::new();
        let valued = self.entries.iter().filter(|(path, _)| setting::holder(path).is_none());
        for (path, entry) in valued {
            let Some((last, sections)) = path.split_last() else { continue };
            let mut table = Some(&mut root);
            for section in sections {
                let below =
                    table.map(|table| table.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new())));
                table = below.and_then(toml::Value::as_table_mut);
            }
            if let Some(table) = table {
                table.insert(last.clone(), entry.value.clone());
            }
        }
        root
    }

    /// The error of a value that does not fit.
    pub(crate) fn misfit(&self, path: &[String]) -> ConfigError {
        let (path, origin, value) = match nearest_entry(&self.entries, path) {
            Some((path, entry)) => (path, entry.source.clone(), Some(&entry.value)),
            None => (path, Source::Default, None),
        };
        let setting = match setting::lookup(path) {
            Lookup::Setting(setting) => Some(setting),
            Lookup::Section | Lookup::Unknown => None,
        };
        let shown = value.filter(|_| setting.is_some_and(|setting| !setting.secret)).map(show);
        ConfigError::Invalid {
            origin,
            setting: path.join("."),
            value: shown.unwrap_or_else(|| "the value".to_owned()),
            expected: setting.map_or("what the setting takes", |setting| setting.expected).to_owned(),
        }
    }
}

/// Paths without values: of those some are secret.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(path, entry)| (path.join("."), &entry.source))).finish()
    }
}

/// Whether two values stand in one file or in weft's own variables, where neither can be meant to win.
fn is_one_source(one: &Source, other: &Source) -> bool {
    match (one, other) {
        (Source::File { .. }, Source::File { .. }) => true,
        (Source::Environment { variable: one }, Source::Environment { variable: other }) => {
            one.starts_with("WEFT_") && other.starts_with("WEFT_")
        }
        _ => false,
    }
}

/// The segments of a path: `edge.port`.
pub(crate) fn split(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// The keys that lead to where reading stopped.
pub(crate) fn keys(path: &serde_path_to_error::Path) -> impl Iterator<Item = String> + '_ {
    path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    })
}

/// What is set at the path or nearest above it, or else first below it.
pub(crate) fn nearest_entry<'a, V>(entries: &'a BTreeMap<Vec<String>, V>, path: &[String]) -> Option<(&'a [String], &'a V)> {
    let above = (1..=path.len()).rev().find_map(|end| entries.get_key_value(path.get(..end)?));
    let below = || entries.iter().find(|(other, _)| other.starts_with(path));
    above.or_else(below).map(|(path, value)| (path.as_slice(), value))
}

fn show(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("{:?}", redact::url(text)),
        toml::Value::Table(_) => "a table".to_owned(),
        toml::Value::Array(_) => "an array".to_owned(),
        scalar => scalar.to_string(),
    }
}
