//! The layers that are TOML texts: the configuration file, and the text in Consul.

use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::layers::Layers;
use crate::setting::{self, Changes, Lookup, Setting, Shape};
use crate::source::Source;

/// Reads the file into the layers.
pub(crate) fn read(path: &Path, layers: &mut Layers) -> Result<(), ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    Text { origin: Origin::File(path), text: &text }.read(layers)
}

/// Reads the text that Consul has under a key into the layers.
pub(crate) fn read_consul(key: &str, text: &str, layers: &mut Layers) -> Result<(), ConfigError> {
    Text { origin: Origin::Consul(key), text }.read(layers)
}

struct Text<'a> {
    origin: Origin<'a>,
    text: &'a str,
}

enum Origin<'a> {
    File(&'a Path),
    Consul(&'a str),
}

impl Text<'_> {
    fn read(&self, layers: &mut Layers) -> Result<(), ConfigError> {
        // The values come from one reading, the places of the keys from another.
        let table: toml::Table = self.text.parse().map_err(|error| self.syntax(&error))?;
        let places = DeTable::parse(self.text).map_err(|error| self.syntax(&error))?;
        self.walk(&mut Vec::new(), &table, Some(places.get_ref()), layers)
    }

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
                (Lookup::Setting(setting), value) => {
                    self.check_place(setting, path, &source)?;
                    layers.set(path.clone(), value.clone(), source)?;
                }
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

    /// What is read only at the start would be found to differ from what runs, again and again; and
    /// whoever may read the text may not read secrets.
    fn check_place(&self, setting: &Setting, path: &[String], origin: &Source) -> Result<(), ConfigError> {
        match self.origin {
            Origin::Consul(_) if setting.changes != Changes::Running || setting.secret => {
                Err(ConfigError::NotInConsul { origin: origin.clone(), setting: path.join(".") })
            }
            Origin::Consul(_) | Origin::File(_) => Ok(()),
        }
    }

    fn source(&self, offset: usize) -> Source {
        let line = self.line(offset);
        match self.origin {
            Origin::File(path) => Source::File { path: path.to_owned(), line },
            Origin::Consul(key) => Source::Consul { key: key.to_owned(), line },
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(1, |before| before.split('\n').count())
    }

    /// The parser's message without its excerpt of the file, which may hold a secret.
    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let origin = self.source(error.span().map_or(0, |span| span.start));
        ConfigError::Syntax { origin, problem: error.message().to_owned() }
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
