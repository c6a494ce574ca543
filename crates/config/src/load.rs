//! Reading all layers, and showing what came of it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::error::ConfigError;
use crate::layers::{Entry, Layers, split};
use crate::section::settings;
use crate::setting::{self, Fallback, Lookup, Place, Setting};
use crate::{Config, Consul, Source, environment, file, flags, redact, secrets};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "weft.toml";

/// The setting that names the key in Consul with a text of settings.
const DOCUMENT_KEY: &str = "consul.config_key";

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
    /// What Consul holds under the keys that [`Config::consul_keys`] names.
    pub consul: BTreeMap<String, SecretString>,
    /// Flags: path and value. Of two for one path the later wins.
    pub flags: Vec<(String, String)>,
}

/// The keys in Consul that a configuration is made of.
#[derive(Clone, Debug)]
pub struct ConsulKeys {
    /// How Consul is reached.
    pub consul: Consul,
    /// The key of a text with settings; there may be nothing under it.
    pub settings: Option<String>,
    /// The keys of secrets, without which there is no configuration.
    pub secrets: Vec<String>,
}

impl Sources {
    /// The environment of the process and the `weft.toml` of the current directory, with the file
    /// and flags of the command line.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let named = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { file, directory: Some(PathBuf::new()), environment: named.collect(), flags, ..Self::default() }
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
        Ok(self.default_file().filter(|path| is_there(path)))
    }

    fn default_file(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(DEFAULT_FILE))
    }

    /// The text with settings that Consul holds, and its key.
    fn document<'a>(&'a self, layers: &'a Layers) -> Option<(&'a str, &'a str)> {
        let key = document_key(layers)?;
        Some((key, self.consul.get(key)?.expose_secret()))
    }
}

/// A configuration that was read, and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The source of every value, by path.
    pub sources: BTreeMap<String, Source>,
    /// The files that it was read from, or would be if they were there: what to watch for changes.
    pub files: Vec<PathBuf>,
    pub(crate) layers: Layers,
}

impl Loaded {
    pub(crate) fn of(layers: Layers, files: Vec<PathBuf>) -> Result<Self, ConfigError> {
        let config = layers.read()?;
        let sources = layers.iter().map(|(path, entry)| (path.join("."), entry.source.clone())).collect();
        Ok(Self { config, sources, files, layers })
    }

    /// The error of a value that whoever uses it cannot use, for a check after reading.
    pub fn unfit(&self, setting: &str, problem: impl Into<String>) -> ConfigError {
        let origin = self.sources.get(setting).cloned().unwrap_or(Source::Default);
        ConfigError::Unfit { origin, setting: setting.to_owned(), problem: problem.into() }
    }

    /// The effective configuration, a line `path = value  # source` for each value, and a comment
    /// for each setting that has none. Secrets are `***`; an address keeps its host. Of a setting that
    /// changes while a process runs, its line says so.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (path, entry) in self.layers.iter() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{}", line(path, entry));
        }
        for setting in settings() {
            if let Fallback::Otherwise(otherwise) = setting.fallback
                && setting.keyed().is_none()
                && setting.holds.is_none()
                && !self.sources.contains_key(setting.path)
            {
                let _ = writeln!(text, "# {} is not set: {otherwise}", setting.path);
            }
        }
        text
    }
}

pub(crate) fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut layers = stack(sources, None)?;
    if let Some(document) = sources.document(&layers) {
        layers = stack(sources, Some(document))?;
    }
    let mut files: Vec<_> = sources.file()?.or_else(|| sources.default_file()).into_iter().collect();
    files.extend(secrets::files(&layers)?);
    check_consul(&layers)?;
    secrets::resolve(&mut layers, Some(&sources.consul))?;
    Loaded::of(layers, files)
}

pub(crate) fn consul_keys(sources: &Sources) -> Result<Option<ConsulKeys>, ConfigError> {
    let mut layers = stack(sources, None)?;
    let (settings, secrets) = (document_key(&layers).map(str::to_owned), secrets::keys(&layers)?);
    if settings.is_none() && secrets.is_empty() {
        return Ok(None);
    }
    check_consul(&layers)?;
    secrets::resolve(&mut layers, None)?;
    Ok(Some(ConsulKeys { consul: layers.read()?.consul, settings, secrets }))
}

/// The layers as they win over each other, secrets that are elsewhere not yet among them.
fn stack(sources: &Sources, document: Option<(&str, &str)>) -> Result<Layers, ConfigError> {
    let mut layers = Layers::of_defaults();
    if let Some(path) = sources.file()? {
        file::read(&path, &mut layers)?;
    }
    if let Some((key, text)) = document {
        file::read_consul(key, text, &mut layers)?;
    }
    environment::read(&sources.environment, &mut layers)?;
    flags::read(&sources.flags, &mut layers)?;
    Ok(layers)
}

fn document_key(layers: &Layers) -> Option<&str> {
    layers.get(&split(DOCUMENT_KEY))?.value.as_str()
}

/// A key in Consul needs a Consul.
fn check_consul(layers: &Layers) -> Result<(), ConfigError> {
    let names_a_key = |path: &[String]| {
        path.join(".") == DOCUMENT_KEY || setting::holder(path).is_some_and(|holder| holder.place == Place::ConsulKey)
    };
    let named = layers.iter().find(|(path, _)| names_a_key(path));
    match named.filter(|_| layers.get(&split("consul.address")).is_none()) {
        Some((path, entry)) => Err(ConfigError::ConsulMissing { origin: entry.source.clone(), setting: path.join(".") }),
        None => Ok(()),
    }
}

/// The configuration of the settings table alone.
pub(crate) fn defaults() -> Result<Config, ConfigError> {
    Layers::of_defaults().read()
}

fn line(path: &[String], entry: &Entry) -> String {
    let setting = match setting::lookup(path) {
        Lookup::Setting(setting) => Some(setting),
        Lookup::Section | Lookup::Unknown => None,
    };
    let is_secret = setting.is_none_or(|setting| setting.secret);
    let value = match &entry.value {
        toml::Value::String(text) if is_secret && is_url(path) => format!("{:?}", redact::url(text)),
        _ if is_secret => "***".to_owned(),
        value => value.to_string(),
    };
    let changes = setting.and_then(|setting| setting.changes.told()).map(|told| format!("; {told}")).unwrap_or_default();
    format!("{} = {value}  # {}{changes}", path.join("."), entry.source)
}

/// Whether the setting is one of ours that was read as an address: of those, the host may be shown.
fn is_url(path: &[String]) -> bool {
    matches!(setting::lookup(path), Lookup::Setting(Setting { path, .. }) if path.ends_with("url"))
}

/// A path that cannot be looked at counts as there, so that reading it says why.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}
