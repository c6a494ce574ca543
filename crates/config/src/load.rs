//! Reading all layers, and showing what came of it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::error::ConfigError;
use crate::layers::{Entry, Layers};
use crate::section::settings;
use crate::setting::{self, Fallback, Lookup, Setting};
use crate::{Config, Source, environment, file, flags, redact};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "weft.toml";

/// Where to read from. The default is nowhere, so that a test never meets the process's own
/// environment; [`Sources::of_process`] is for `main`.
#[derive(Clone, Default)]
pub struct Sources {
    /// A file that was named and must exist.
    pub file: Option<PathBuf>,
    /// The folder whose `weft.toml` is read if it is there and no file is named; nothing is looked
    /// for without it.
    pub directory: Option<PathBuf>,
    /// The environment variables.
    pub environment: BTreeMap<String, OsString>,
    /// Flags: path and value. Of two for one path the later wins.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The environment of the process and the `weft.toml` of the current directory, with the file
    /// and flags of the command line.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let named = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { file, directory: Some(PathBuf::new()), environment: named.collect(), flags }
    }

    /// The file to read: the named one, that of `WEFT_CONFIG`, or the default one if it is there.
    fn file(&self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(file) = &self.file {
            return Ok(Some(file.clone()));
        }
        if let Some(value) = self.environment.get(environment::FILE)
            && let Some(path) = environment::text(environment::FILE, value)?
        {
            return Ok(Some(PathBuf::from(path)));
        }
        let default = self.directory.as_ref().map(|directory| directory.join(DEFAULT_FILE));
        Ok(default.filter(|path| is_there(path)))
    }
}

/// A configuration that was read, and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The source of every value, by path.
    pub sources: BTreeMap<String, Source>,
    /// Path, value without secrets, source.
    lines: Vec<(String, String, Source)>,
}

impl Loaded {
    /// The effective configuration, a line `path = value  # source` for each value, and a comment
    /// for each setting that has none. Secrets are `***`; an address keeps its host.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (path, value, source) in &self.lines {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{path} = {value}  # {source}");
        }
        for setting in settings() {
            if let Fallback::Otherwise(otherwise) = setting.fallback
                && setting.keyed().is_none()
                && !self.sources.contains_key(setting.path)
            {
                let _ = writeln!(text, "# {} is not set: {otherwise}", setting.path);
            }
        }
        text
    }
}

pub(crate) fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut layers = Layers::of_defaults();
    if let Some(path) = sources.file()? {
        file::read(&path, &mut layers)?;
    }
    environment::read(&sources.environment, &mut layers)?;
    flags::read(&sources.flags, &mut layers)?;
    let config = layers.read()?;
    let lines: Vec<_> = layers.iter().map(|(path, entry)| line(path, entry)).collect();
    let sources = lines.iter().map(|(path, _, source)| (path.clone(), source.clone())).collect();
    Ok(Loaded { config, sources, lines })
}

/// The configuration of the settings table alone.
pub(crate) fn defaults() -> Result<Config, ConfigError> {
    Layers::of_defaults().read()
}

fn line(path: &[String], entry: &Entry) -> (String, String, Source) {
    let secret = match setting::lookup(path) {
        Lookup::Setting(setting) => setting.secret,
        Lookup::Section | Lookup::Unknown => true,
    };
    let value = match &entry.value {
        toml::Value::String(text) if secret && is_url(path) => format!("{:?}", redact::url(text)),
        _ if secret => "***".to_owned(),
        value => value.to_string(),
    };
    (path.join("."), value, entry.source.clone())
}

/// Whether the setting is one of ours that was read as an address: of those, the host may be shown.
fn is_url(path: &[String]) -> bool {
    matches!(setting::lookup(path), Lookup::Setting(Setting { path, .. }) if path.ends_with("url"))
}

/// A path that cannot be looked at counts as there, so that reading it says why.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}
