//! The layer of flags: `--set edge.port=9000`.

use crate::error::ConfigError;
use crate::layers::{self, Layers};
use crate::setting::{self, Lookup};
use crate::source::Source;

/// Reads the flags, `(path, value)` each, into the layers; of two for one path the later wins.
pub(crate) fn read(flags: &[(String, String)], layers: &mut Layers) -> Result<(), ConfigError> {
    for (name, text) in flags {
        let origin = Source::Flag { setting: name.clone() };
        let path = layers::split(name);
        match setting::lookup(&path) {
            Lookup::Setting(setting) if !path.iter().any(String::is_empty) => {
                layers.set(path, setting.shape.read(text), origin)?;
            }
            Lookup::Section => return Err(ConfigError::NotASetting { origin, setting: name.clone() }),
            Lookup::Setting(_) | Lookup::Unknown => {
                return Err(ConfigError::UnknownSetting { origin, hint: setting::nearest_path(&path), setting: name.clone() });
            }
        }
    }
    Ok(())
}
