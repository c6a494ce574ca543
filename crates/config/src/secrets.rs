//! Secrets that are not in a setting but in a file or under a key in Consul.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::error::ConfigError;
use crate::layers::{Entry, Layers, split};
use crate::setting::{self, Holder, Place};
use crate::source::Source;

/// A secret that a setting says the place of.
struct Placed {
    path: Vec<String>,
    holder: Holder,
    place: String,
    origin: Source,
}

/// Reads the files, and takes what Consul was found to hold. Without the latter its secrets are left out.
pub(crate) fn resolve(layers: &mut Layers, consul: Option<&BTreeMap<String, SecretString>>) -> Result<(), ConfigError> {
    for placed in placed(layers)? {
        let (text, source) = match placed.holder.place {
            Place::File => (read(&placed)?, Source::SecretFile { path: placed.place.into() }),
            Place::ConsulKey => {
                let Some(held) = consul else { continue };
                let text = held.get(&placed.place).ok_or_else(|| placed.missing_key())?;
                (text.expose_secret().to_owned(), Source::SecretKey { key: placed.place })
            }
        };
        // Editors and `echo` end a file with a line break that is no part of the secret.
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        layers.put(split(placed.holder.secret), Entry { value: toml::Value::String(text), source });
    }
    Ok(())
}

/// The files that hold secrets.
pub(crate) fn files(layers: &Layers) -> Result<Vec<PathBuf>, ConfigError> {
    Ok(places(layers, Place::File)?.map(PathBuf::from).collect())
}

/// The keys in Consul that hold secrets.
pub(crate) fn keys(layers: &Layers) -> Result<Vec<String>, ConfigError> {
    Ok(places(layers, Place::ConsulKey)?.collect())
}

fn places(layers: &Layers, place: Place) -> Result<impl Iterator<Item = String>, ConfigError> {
    let placed = placed(layers)?.into_iter();
    Ok(placed.filter(move |placed| placed.holder.place == place).map(|placed| placed.place))
}

fn placed(layers: &Layers) -> Result<Vec<Placed>, ConfigError> {
    let mut found = Vec::new();
    for (path, entry) in layers.iter() {
        let Some(holder) = setting::holder(path) else { continue };
        let Some(place) = entry.value.as_str().filter(|place| !place.is_empty()) else { return Err(layers.misfit(path)) };
        found.push(Placed { path: path.to_vec(), holder, place: place.to_owned(), origin: entry.source.clone() });
    }
    Ok(found)
}

fn read(placed: &Placed) -> Result<String, ConfigError> {
    fs::read_to_string(Path::new(&placed.place)).map_err(|cause| ConfigError::SecretFile {
        origin: placed.origin.clone(),
        setting: placed.path.join("."),
        path: PathBuf::from(&placed.place),
        cause,
    })
}

impl Placed {
    fn missing_key(&self) -> ConfigError {
        let (origin, setting, key) = (self.origin.clone(), self.path.join("."), self.place.clone());
        ConfigError::SecretKey { origin, setting, key }
    }
}
