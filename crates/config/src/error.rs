//! What can be wrong with a configuration, each said in one sentence.

use std::fmt;
use std::path::PathBuf;

use crate::Source;

/// A mistake in the configuration. The text names the setting, its source and what was expected;
/// it never holds the value of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file was named but cannot be read.
    #[error("{}: the configuration file cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The configuration file, or the text in Consul, is not TOML.
    #[error("{origin}: {problem}")]
    Syntax {
        /// Which line of it.
        origin: Source,
        /// What the parser says, without the text of the line.
        problem: String,
    },
    /// A key in the file or a flag that names no setting.
    #[error("{origin}: unknown setting \"{setting}\"{hint}")]
    UnknownSetting {
        /// Where it stands.
        origin: Source,
        /// The path that was given.
        setting: String,
        /// The nearest path that exists.
        hint: Hint,
    },
    /// A `WEFT_` variable that names no setting.
    #[error("{variable}: no setting has this variable{hint}")]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The nearest variable that exists.
        hint: Hint,
    },
    /// A value where a section was expected: `edge = 5`.
    #[error("{origin}: \"{setting}\" is a section, it cannot have a value")]
    NotASetting {
        /// Where it stands.
        origin: Source,
        /// The section's path.
        setting: String,
    },
    /// A variable that is not Unicode.
    #[error("{variable}: the value is not valid UTF-8")]
    NotUnicode {
        /// The variable.
        variable: String,
    },
    /// A value of the wrong type or out of range.
    #[error("{}{value} is not {expected}", place(origin, setting))]
    Invalid {
        /// Where it stands.
        origin: Source,
        /// The setting's path.
        setting: String,
        /// The value as a person would write it; `the value` for a secret.
        value: String,
        /// What was expected: `a port (0-65535)`.
        expected: String,
    },
    /// A file that holds a secret cannot be used.
    #[error("{}the file {} cannot be read: {cause}", place(origin, setting), path.display())]
    SecretFile {
        /// Where the file is named.
        origin: Source,
        /// The setting that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// Consul has no secret under a key.
    #[error("{}Consul has no text under the key {key:?}", place(origin, setting))]
    SecretKey {
        /// Where the key is named.
        origin: Source,
        /// The setting that names it.
        setting: String,
        /// The key.
        key: String,
    },
    /// A secret and a place where it is to be found, or two such places, in one source.
    #[error("{origin}: {setting} says the same as {other}: set one of them")]
    Twice {
        /// Where the second stands.
        origin: Source,
        /// The second.
        setting: String,
        /// The first.
        other: String,
    },
    /// A key in Consul is named, and nothing says where Consul is.
    #[error("{}a key in Consul needs consul.address", place(origin, setting))]
    ConsulMissing {
        /// Where the key is named.
        origin: Source,
        /// The setting that names it.
        setting: String,
    },
    /// A setting in Consul that is read only when a process starts, or a secret.
    #[error("{origin}: {setting} cannot stand in Consul: only settings that change while a process runs can, and no secrets")]
    NotInConsul {
        /// Where it stands.
        origin: Source,
        /// The setting's path.
        setting: String,
    },
    /// A value that fits by itself, and not with what it is used for or with other values.
    #[error("{}{problem}", place(origin, setting))]
    Unfit {
        /// Where the value stands.
        origin: Source,
        /// The setting's path.
        setting: String,
        /// What is wrong, without the value of a secret.
        problem: String,
    },
    /// A domain's own settings do not fit what the domain reads.
    #[error("{}{problem}", place(origin, setting))]
    Domain {
        /// Where the value stands.
        origin: Source,
        /// The setting's path.
        setting: String,
        /// What is wrong, without the value.
        problem: String,
    },
}

/// The nearest name that exists, if one is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(pub Option<String>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, " (did you mean \"{name}\"?)"),
            None => Ok(()),
        }
    }
}

/// `source: setting: `, with the setting left out where the source already spells it.
fn place(origin: &Source, setting: &str) -> String {
    let spelled = match origin {
        Source::Flag { .. } => true,
        Source::Environment { variable } => variable.starts_with("WEFT_"),
        Source::Default | Source::File { .. } | Source::Consul { .. } | Source::SecretFile { .. } | Source::SecretKey { .. } => {
            false
        }
    };
    if spelled { format!("{origin}: ") } else { format!("{origin}: {setting}: ") }
}
