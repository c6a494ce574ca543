//! The layer of environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::error::ConfigError;
use crate::layers::{self, Layers};
use crate::section::settings;
use crate::setting::{self, Setting, Shape};
use crate::source::Source;

/// The variable that names the configuration file.
pub(crate) const FILE: &str = "WEFT_CONFIG";

/// What starts with these steers tests and is no setting.
const IGNORED: [&str; 2] = ["WEFT_TEST_", "WEFT_SABOTAGE"];

/// Reads the variables into the layers: first the names that people expect, then weft's own.
pub(crate) fn read(environment: &BTreeMap<String, OsString>, layers: &mut Layers) -> Result<(), ConfigError> {
    for setting in settings() {
        for &alias in setting.aliases {
            if let Some(value) = environment.get(alias) {
                set(layers, layers::split(setting.path), setting, alias, value)?;
            }
        }
    }
    for (variable, value) in environment {
        if variable.starts_with("WEFT_") && variable != FILE && !IGNORED.iter().any(|start| variable.starts_with(start)) {
            let (path, setting) = resolve(variable)?;
            set(layers, path, setting, variable, value)?;
        }
    }
    Ok(())
}

/// The value of a variable; nothing if it is empty.
pub(crate) fn text<'a>(variable: &str, value: &'a OsString) -> Result<Option<&'a str>, ConfigError> {
    match value.to_str() {
        Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        None => Err(ConfigError::NotUnicode { variable: variable.to_owned() }),
    }
}

fn set(layers: &mut Layers, path: Vec<String>, setting: &Setting, variable: &str, value: &OsString) -> Result<(), ConfigError> {
    if let Some(text) = text(variable, value)? {
        let source = Source::Environment { variable: variable.to_owned() };
        layers.set(path, setting.shape.read(text), source)?;
    }
    Ok(())
}

fn resolve(variable: &str) -> Result<(Vec<String>, &'static Setting), ConfigError> {
    if let Some(setting) = settings().find(|setting| setting.keyed().is_none() && setting.variable() == variable) {
        return Ok((layers::split(setting.path), setting));
    }
    settings().find_map(|setting| Some((by_key(variable, setting)?, setting))).ok_or_else(|| {
        let names = settings().filter(|setting| setting.keyed().is_none()).map(Setting::variable);
        ConfigError::UnknownVariable { variable: variable.to_owned(), hint: setting::nearest(variable, names) }
    })
}

/// The path that a variable means in a table by domain: `WEFT_MESH_PORTS_ORDERS`,
/// `WEFT_DOMAINS_ORDERS_EXPIRE_AFTER`. A domain's name has no underscore where more follows it.
fn by_key(variable: &str, setting: &Setting) -> Option<Vec<String>> {
    let table = setting.keyed()?;
    let start = format!("WEFT_{}_", table.replace('.', "_").to_uppercase());
    let key = variable.strip_prefix(&start)?.to_lowercase();
    let names = match setting.shape {
        Shape::Free => key.split_once('_').map(|(domain, own)| vec![domain.to_owned(), own.to_owned()])?,
        Shape::Text | Shape::Integer | Shape::Number => vec![key],
    };
    if names.iter().any(String::is_empty) {
        return None;
    }
    let mut path = layers::split(table);
    path.extend(names);
    Some(path)
}
