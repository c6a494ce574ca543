//! From the configuration that runs to a new one.
//!
//! Rule: what may change while a process runs is taken from the new configuration, the rest stays as
//! it runs; a difference in the rest is named, so that somebody restarts the process. The new one has
//! been checked as a whole before, also where it is not taken.

use std::collections::BTreeSet;

use url::Url;

use crate::error::ConfigError;
use crate::layers::{Entry, Layers};
use crate::load::Loaded;
use crate::setting::{self, Changes, Lookup};

/// What came of a new configuration.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The configuration that runs from now on.
    pub loaded: Loaded,
    /// The settings with another value than before, by path.
    pub taken: Vec<String>,
    /// The settings whose new value is taken when the process starts again, by path.
    pub at_restart: Vec<String>,
}

impl Loaded {
    /// Takes from a new configuration what changes while the process runs.
    ///
    /// # Errors
    ///
    /// The first setting that does not fit beside those that stay.
    pub fn change_to(&self, new: &Self) -> Result<Changed, ConfigError> {
        let mut layers = self.layers.clone();
        let (mut taken, mut at_restart) = (Vec::new(), Vec::new());
        let paths: BTreeSet<_> = self.layers.iter().chain(new.layers.iter()).map(|(path, _)| path.to_vec()).collect();
        for path in paths {
            let (now, then) = (self.layers.get(&path), new.layers.get(&path));
            let is_same = now.map(|entry| &entry.value) == then.map(|entry| &entry.value);
            if !is_same {
                let noted = if is_taken(&path, now, then) { &mut taken } else { &mut at_restart };
                noted.push(path.join("."));
            }
            if is_same || is_taken(&path, now, then) {
                take(&mut layers, path, then);
            }
        }
        Ok(Changed { loaded: Self::of(layers, new.files.clone())?, taken, at_restart })
    }
}

fn take(layers: &mut Layers, path: Vec<String>, new: Option<&Entry>) {
    match new {
        Some(entry) => layers.put(path, entry.clone()),
        None => layers.remove(&path),
    }
}

fn is_taken(path: &[String], now: Option<&Entry>, then: Option<&Entry>) -> bool {
    let Lookup::Setting(setting) = setting::lookup(path) else { return false };
    match setting.changes {
        Changes::AtStart => false,
        Changes::Running => true,
        Changes::CredentialsRunning => match (now.and_then(without_credentials), then.and_then(without_credentials)) {
            (Some(now), Some(then)) => now == then,
            _ => false,
        },
    }
}

/// The address less user and password.
fn without_credentials(entry: &Entry) -> Option<Url> {
    let mut url = Url::parse(entry.value.as_str()?).ok()?;
    // An address without a host has room for neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url)
}
