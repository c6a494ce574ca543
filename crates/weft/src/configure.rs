//! The configuration of a binary, whose domains it must name rightly.

use weft_config::{Config, ConfigError, Hint, Loaded, Source, Sources};
use weft_mesh::Domain;

use crate::{arguments::Settings, failure::Failure};

/// Reads and checks the configuration.
pub(crate) fn load(settings: &Settings, domains: &[Domain]) -> Result<Loaded, Failure> {
    let loaded = Config::load(&Sources::of_process(settings.config.clone(), settings.set.clone()))?;
    check_domains(&loaded, domains)?;
    Ok(loaded)
}

/// A port or a setting of a domain that the binary does not have would be read by nobody. An
/// upstream may well be a domain of another binary.
fn check_domains(loaded: &Loaded, domains: &[Domain]) -> Result<(), ConfigError> {
    for (path, origin) in &loaded.sources {
        for section in ["mesh.ports.", "domains."] {
            let Some(rest) = path.strip_prefix(section) else { continue };
            let named = rest.split('.').next().unwrap_or_default();
            if !domains.iter().any(|domain| domain.name() == named) {
                return Err(unknown(section, path, named, origin, domains));
            }
        }
    }
    Ok(())
}

fn unknown(section: &str, path: &str, named: &str, origin: &Source, domains: &[Domain]) -> ConfigError {
    let distance = |domain: &Domain| strsim::damerau_levenshtein(named, domain.name());
    let nearest = domains.iter().min_by_key(|domain| distance(domain)).filter(|domain| distance(domain) <= 2);
    let hint = nearest.map(|domain| format!("{section}{}", domain.name()));
    ConfigError::UnknownSetting { origin: origin.clone(), setting: path.to_owned(), hint: Hint(hint) }
}
