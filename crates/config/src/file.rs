//! The layer of the configuration file.

use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::layers::Layers;
use crate::setting::{self, Lookup, Shape};
use crate::source::Source;

/// Reads the file into the layers.
pub(crate) fn read(path: &Path, layers: &mut Layers) -> Result<(), ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    let file = File { path, text: &text };
    // The values come from one reading, the places of the keys from another.
    let table: toml::Table = text.parse().map_err(|error| file.syntax(&error))?;
    let places = DeTable::parse(&text).map_err(|error| file.syntax(&error))?;
    file.walk(&mut Vec::new(), &table, Some(places.get_ref()), layers)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn walk(
        &self,
        path: &mut Vec<String>,
        table: &toml::Table,
        places: Option<&DeTable<'_>>,
        layers: &mut Layers,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let place = places.and_then(|places| places.get_key_value(key.as_str()));
            let source = self.source(place.map_or(0, |(key, _)| key.span().start));
            path.push(key.clone());
            match (setting::lookup(path), value) {
                (Lookup::Setting(setting), toml::Value::Table(below)) if setting.shape == Shape::Free => {
                    self.walk(path, below, place.and_then(|(_, value)| table_of(value.get_ref())), layers)?;
                }
                (Lookup::Setting(_), value) => layers.set(path.clone(), value.clone(), source),
                (Lookup::Section, toml::Value::Table(below)) => {
                    self.walk(path, below, place.and_then(|(_, value)| table_of(value.get_ref())), layers)?;
                }
                (Lookup::Section, _) => {
                    return Err(ConfigError::NotASetting { origin: source, setting: path.join(".") });
                }
                (Lookup::Unknown, value) => return Err(unknown(path, value, source)),
            }
            path.pop();
        }
        Ok(())
    }

    fn source(&self, offset: usize) -> Source {
        Source::File { path: self.path.to_owned(), line: self.line(offset) }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(1, |before| before.split('\n').count())
    }

    /// The parser's message without its excerpt of the file, which may hold a secret.
    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError::Syntax {
            path: self.path.to_owned(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        }
    }
}

fn table_of<'a, 'i>(value: &'a DeValue<'i>) -> Option<&'a DeTable<'i>> {
    value.as_table()
}

/// Names the first value under an unknown section: `databse.url` says more than `databse`.
fn unknown(path: &[String], value: &toml::Value, origin: Source) -> ConfigError {
    let mut path = path.to_vec();
    let mut value = Some(value);
    while let Some((key, below)) = value.and_then(toml::Value::as_table).and_then(|table| table.iter().next()) {
        path.push(key.clone());
        value = Some(below);
    }
    ConfigError::UnknownSetting { origin, hint: setting::nearest_path(&path), setting: path.join(".") }
}
