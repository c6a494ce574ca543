//! Sources for tests: none of them looks at the process's environment.

use std::fs;

use tempfile::TempDir;
use weft_config::{Config, Sources};

/// A folder with a `weft.toml`.
pub(crate) fn file(text: &str) -> (TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weft.toml"), text).unwrap();
    let sources = Sources { directory: Some(folder.path().to_owned()), ..Sources::default() };
    (folder, sources)
}

pub(crate) fn environment(variables: &[(&str, &str)]) -> Sources {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
    Sources { environment, ..Sources::default() }
}

pub(crate) fn flags(flags: &[(&str, &str)]) -> Sources {
    let flags = flags.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    Sources { flags, ..Sources::default() }
}

/// The sentence that a file is refused with, without its folder.
pub(crate) fn refusal_of_file(text: &str) -> String {
    let (folder, sources) = file(text);
    let error = Config::load(&sources).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

/// The sentence that a variable is refused with.
pub(crate) fn refusal_of_variable(name: &str, value: &str) -> String {
    Config::load(&environment(&[(name, value)])).unwrap_err().to_string()
}

/// The sentence that a flag is refused with.
pub(crate) fn refusal_of_flag(path: &str, value: &str) -> String {
    Config::load(&flags(&[(path, value)])).unwrap_err().to_string()
}

/// The same with texts under keys in Consul, which is said to be somewhere.
pub(crate) fn consul(mut sources: Sources, keys: &[(&str, &str)]) -> Sources {
    sources.environment.insert("CONSUL_HTTP_ADDR".to_owned(), "127.0.0.1:8500".into());
    sources.consul = keys.iter().map(|(key, text)| ((*key).to_owned(), (*text).into())).collect();
    sources
}
