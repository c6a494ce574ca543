//! The configuration of a binary, whose domains it must name rightly.

use std::collections::BTreeSet;

use weft_config::{Config, ConfigError, Hint, Loaded, Source, Sources};
use weft_mesh::Domain;

use crate::{arguments::Settings, failure::Failure};

/// Reads and checks the configuration.
pub(crate) fn load(settings: &Settings, domains: &[Domain]) -> Result<Loaded, Failure> {
    let loaded = Config::load(&Sources::of_process(settings.config.clone(), settings.set.clone()))?;
    check_domains(&loaded, domains)?;
    Ok(loaded)
}

/// The sections whose keys are names of domains.
const BY_DOMAIN: [&str; 4] = ["mesh.ports.", "mesh.upstreams.", "limits.factors.", "domains."];

/// A name that no domain has would be read by nobody.
fn check_domains(loaded: &Loaded, domains: &[Domain]) -> Result<(), ConfigError> {
    let here: BTreeSet<_> = domains.iter().map(Domain::name).collect();
    let called: BTreeSet<_> = here.iter().copied().chain(domains.iter().flat_map(callees)).collect();
    for (path, origin) in &loaded.sources {
        for section in BY_DOMAIN {
            let Some(named) = path.strip_prefix(section).and_then(|rest| rest.split('.').next()) else { continue };
            // What is called may well be a domain of another binary.
            let known = if section == "mesh.upstreams." { &called } else { &here };
            if !known.contains(named) {
                return Err(unknown(section, path, named, origin, known));
            }
        }
    }
    Ok(())
}

/// The domains that a domain may call: `catalog` of `weft.catalog.v1.Catalog`.
fn callees(domain: &Domain) -> impl Iterator<Item = &'static str> {
    let services = domain.contract().services.iter().flat_map(|service| service.calls);
    services.filter_map(|service| service.rsplit('.').nth(2))
}

fn unknown(section: &str, path: &str, named: &str, origin: &Source, known: &BTreeSet<&str>) -> ConfigError {
    let distance = |name: &str| strsim::damerau_levenshtein(named, name);
    let nearest = known.iter().min_by_key(|name| distance(name)).filter(|name| distance(name) <= 2);
    let hint = nearest.map(|name| format!("{section}{name}"));
    ConfigError::UnknownSetting { origin: origin.clone(), setting: path.to_owned(), hint: Hint(hint) }
}
