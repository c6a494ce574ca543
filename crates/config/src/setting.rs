//! One row of the settings table.

use crate::error::Hint;
use crate::section::settings;

/// A setting: what it is called, what it takes and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its path: `edge.port`. A segment in angle brackets stands for any name:
    /// `mesh.ports.<domain>`.
    pub path: &'static str,
    /// What it does, in whole sentences.
    pub about: &'static str,
    /// What a value is, so that `<value> is not <expected>` is a sentence.
    pub expected: &'static str,
    /// What holds when nobody sets it.
    pub fallback: Fallback,
    /// Environment variables that are read too, because people expect them.
    pub aliases: &'static [&'static str],
    /// Whether the value must never be shown.
    pub secret: bool,
    /// When a new value is taken.
    pub changes: Changes,
    pub(crate) shape: Shape,
    pub(crate) holds: Option<Holder>,
}

/// When a new value of a setting is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// When the process starts again.
    AtStart,
    /// While the process runs.
    Running,
    /// User and password of the address while the process runs, the rest of it when the process
    /// starts again.
    CredentialsRunning,
}

/// A setting that says where the value of a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The secret's path.
    pub(crate) secret: &'static str,
    pub(crate) place: Place,
}

/// Where the value of a secret can be, other than in the setting itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File,
    ConsulKey,
}

/// What holds when nobody sets a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This value, written as it would be in an environment variable.
    Value(&'static str),
    /// No value; the text says what happens instead.
    Otherwise(&'static str),
}

/// How the text of a variable, flag or default becomes a TOML value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// An integer.
    Integer,
    /// An integer or a decimal number.
    Number,
    /// Anything, in a table that is not ours: a TOML value if it reads as one, or else a string.
    Free,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    Setting(&'static Setting),
    Section,
    Unknown,
}

impl Changes {
    /// What people are told of it; nothing where it is what they expect.
    pub(crate) const fn told(self) -> Option<&'static str> {
        match self {
            Self::AtStart => None,
            Self::Running => Some("changes while the process runs"),
            Self::CredentialsRunning => Some("changes in user and password while the process runs"),
        }
    }
}

impl Shape {
    /// Text of the wrong kind stays a string; the typed reading refuses it with the right sentence.
    pub(crate) fn read(self, text: &str) -> toml::Value {
        let typed = match self {
            Self::Text => None,
            Self::Integer => text.parse().ok().map(toml::Value::Integer),
            Self::Number => text.parse().map(toml::Value::Integer).or_else(|_| text.parse().map(toml::Value::Float)).ok(),
            Self::Free => text.parse().ok(),
        };
        typed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
    }
}

// === Rows ===

impl Setting {
    pub(crate) const fn text(path: &'static str, expected: &'static str, about: &'static str) -> Self {
        Self {
            path,
            about,
            expected,
            fallback: Fallback::Otherwise("none"),
            aliases: &[],
            secret: false,
            changes: Changes::AtStart,
            shape: Shape::Text,
            holds: None,
        }
    }

    /// Where a secret can be instead of in its own setting: a file.
    pub(crate) const fn file_of(path: &'static str, secret: &'static str) -> Self {
        let about = "The file that holds the same, instead; a new text in it is taken while the process runs.";
        let mut setting = Self::text(path, "a file", about);
        setting.holds = Some(Holder { secret, place: Place::File });
        setting
    }

    /// Where a secret can be instead of in its own setting: a key in Consul.
    pub(crate) const fn consul_key_of(path: &'static str, secret: &'static str) -> Self {
        let about = "The key in Consul KV that holds the same, instead; a new text under it is taken while the process runs.";
        let mut setting = Self::text(path, "a key in Consul KV", about);
        setting.holds = Some(Holder { secret, place: Place::ConsulKey });
        setting
    }

    pub(crate) const fn port(path: &'static str, about: &'static str) -> Self {
        Self::text(path, "a port (0-65535)", about).shape(Shape::Integer)
    }

    pub(crate) const fn address(path: &'static str, about: &'static str) -> Self {
        Self::text(path, "an IP address", about)
    }

    /// A duration above zero.
    pub(crate) const fn duration(path: &'static str, about: &'static str) -> Self {
        Self::text(path, "a duration such as \"500ms\", \"30s\" or \"5m\" (1ms to 3650d)", about)
    }

    pub(crate) const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    pub(crate) const fn default(mut self, text: &'static str) -> Self {
        self.fallback = Fallback::Value(text);
        self
    }

    pub(crate) const fn otherwise(mut self, text: &'static str) -> Self {
        self.fallback = Fallback::Otherwise(text);
        self
    }

    pub(crate) const fn alias(mut self, variables: &'static [&'static str]) -> Self {
        self.aliases = variables;
        self
    }

    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// A new value is taken while the process runs.
    pub(crate) const fn running(mut self) -> Self {
        self.changes = Changes::Running;
        self
    }

    /// A new user or password in the address is taken while the process runs.
    pub(crate) const fn credentials_running(mut self) -> Self {
        self.changes = Changes::CredentialsRunning;
        self
    }
}

// === Names ===

impl Setting {
    /// The name of its environment variable: `WEFT_EDGE_PORT`, `WEFT_MESH_PORTS_<DOMAIN>`.
    pub fn variable(&self) -> String {
        format!("WEFT_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The name of its section; nothing for a setting outside sections.
    pub fn section(&self) -> Option<&'static str> {
        self.path.split_once('.').map(|(section, _)| section)
    }

    /// The path before the first name in angle brackets, if there is one.
    pub(crate) fn keyed(&self) -> Option<&'static str> {
        self.path.split_once(".<").map(|(before, _)| before)
    }

    /// The path with names in angle brackets taken from `path`, to compare the two by spelling.
    fn spelled_like(&self, path: &[String]) -> String {
        let segments = self.path.split('.').enumerate().map(|(index, segment)| match path.get(index) {
            Some(given) if is_placeholder(segment) => given.as_str(),
            _ => segment,
        });
        segments.collect::<Vec<_>>().join(".")
    }

    /// The settings that say the same in another way: of a secret, its file and its key.
    pub(crate) fn alternatives(&'static self) -> impl Iterator<Item = &'static Self> {
        let secret = self.holds.map_or(self.path, |holder| holder.secret);
        let is_secret = self.secret || self.holds.is_some();
        settings().filter(move |other| {
            let says = other.holds.map_or(other.path, |holder| holder.secret);
            is_secret && says == secret && other.path != self.path
        })
    }

    fn matches(&self, path: &[String]) -> bool {
        let pattern: Vec<&str> = self.path.split('.').collect();
        let deep_enough = match self.shape {
            Shape::Free => path.len() >= pattern.len(),
            Shape::Text | Shape::Integer | Shape::Number => path.len() == pattern.len(),
        };
        deep_enough && agree(&pattern, path)
    }

    fn is_below(&self, path: &[String]) -> bool {
        let pattern: Vec<&str> = self.path.split('.').collect();
        path.len() < pattern.len() && agree(&pattern, path)
    }
}

/// What the path leads to.
pub(crate) fn lookup(path: &[String]) -> Lookup {
    if let Some(setting) = settings().find(|setting| setting.matches(path)) {
        Lookup::Setting(setting)
    } else if settings().any(|setting| setting.is_below(path)) {
        Lookup::Section
    } else {
        Lookup::Unknown
    }
}

/// What the setting at the path says of a secret's place; nothing if it is another kind of setting.
pub(crate) fn holder(path: &[String]) -> Option<Holder> {
    match lookup(path) {
        Lookup::Setting(setting) => setting.holds,
        Lookup::Section | Lookup::Unknown => None,
    }
}

/// The path of a setting that is spelled almost like `path`.
pub(crate) fn nearest_path(path: &[String]) -> Hint {
    nearest(&path.join("."), settings().map(|setting| setting.spelled_like(path)))
}

/// The candidate with the smallest edit distance, if a third of the name at most is wrong.
pub(crate) fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Hint {
    let limit = (name.chars().count() / 3).max(2);
    let best = candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, &candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= limit);
    Hint(best.map(|(_, candidate)| candidate))
}

fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('<')
}

fn agree(pattern: &[&str], path: &[String]) -> bool {
    pattern.iter().zip(path).all(|(segment, given)| is_placeholder(segment) || segment == given)
}
