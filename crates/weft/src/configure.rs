//! The configuration of a binary, whose domains it must name rightly.

use std::collections::BTreeSet;

use tokio::runtime::Builder;
use weft_config::{Config, ConfigError, Hint, Loaded, Source, Sources};
use weft_mesh::{Contract, Domain};
use weft_telemetry::TelemetryError;

use crate::{arguments::Settings, failure::Failure};

/// A configuration, and what it was read from.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) sources: Sources,
    pub(crate) loaded: Loaded,
}

/// Reads and checks the configuration.
pub(crate) fn load(settings: &Settings, domains: &[Domain]) -> Result<Configured, Failure> {
    let mut sources = Sources::of_process(settings.config.clone(), settings.set.clone());
    if let Some(keys) = Config::consul_keys(&sources)? {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::Process)?;
        sources.consul = runtime.block_on(weft_reload::fetch(&keys))?;
    }
    let loaded = Config::load(&sources)?;
    Names::of(domains).check(&loaded)?;
    Ok(Configured { sources, loaded })
}

/// The sections whose keys are names of domains.
const BY_DOMAIN: [&str; 4] = ["mesh.ports.", "mesh.upstreams.", "limits.factors.", "domains."];

/// The names that a configuration may give to domains.
pub(crate) struct Names {
    /// Domains of this binary.
    here: BTreeSet<&'static str>,
    /// The same, and those that they call.
    called: BTreeSet<&'static str>,
    /// What is served here.
    contracts: Vec<&'static Contract>,
}

impl Names {
    pub(crate) fn of(domains: &[Domain]) -> Self {
        let here: BTreeSet<_> = domains.iter().map(Domain::name).collect();
        let called = here.iter().copied().chain(domains.iter().flat_map(callees)).collect();
        Self { here, called, contracts: domains.iter().map(Domain::contract).collect() }
    }

    /// Checks what a configuration cannot know by itself.
    pub(crate) fn check(&self, loaded: &Loaded) -> Result<(), ConfigError> {
        self.check_domains(loaded)?;
        weft_mesh::check_config(loaded)?;
        weft_mesh::check_callers(loaded, &self.contracts)?;
        let level = &loaded.config.log.level;
        weft_telemetry::check_level(level).map_err(|error| match error {
            TelemetryError::Level { cause, .. } => loaded.unfit("log.level", format!("{level:?} is not a filter: {cause}")),
            other => loaded.unfit("log.level", other.to_string()),
        })
    }

    /// A name that no domain has would be read by nobody.
    fn check_domains(&self, loaded: &Loaded) -> Result<(), ConfigError> {
        for (path, origin) in &loaded.sources {
            for section in BY_DOMAIN {
                let Some(named) = path.strip_prefix(section).and_then(|rest| rest.split('.').next()) else { continue };
                // What is called may well be a domain of another binary.
                let known = if section == "mesh.upstreams." { &self.called } else { &self.here };
                if !known.contains(named) {
                    return Err(unknown(section, path, named, origin, known));
                }
            }
        }
        Ok(())
    }
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
