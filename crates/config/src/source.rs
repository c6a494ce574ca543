//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The settings table.
    Default,
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of the text under a key in Consul.
    Consul {
        /// The key.
        key: String,
        /// The line, from 1.
        line: usize,
    },
    /// A file that holds a secret.
    SecretFile {
        /// The file as it was named.
        path: PathBuf,
    },
    /// A key in Consul that holds a secret.
    SecretKey {
        /// The key.
        key: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag: `--set edge.port=9000`.
    Flag {
        /// The path that it names.
        setting: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Consul { key, line } => write!(f, "consul:{key}:{line}"),
            Self::SecretFile { path } => write!(f, "{}", path.display()),
            Self::SecretKey { key } => write!(f, "consul:{key}"),
            Self::Environment { variable } => f.write_str(variable),
            Self::Flag { setting } => write!(f, "--set {setting}"),
        }
    }
}
