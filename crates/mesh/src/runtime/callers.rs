//! Who may call the domains of a process: the contracts, the configuration and, where Consul says who calls, its
//! intentions.

use std::sync::Arc;

use weft_access::{CallerPattern, CallerRules, CallerSettings, ConsulIntentions, EDGE, Enforcement};
use weft_call::Contract;
use weft_config::{CallerRule, CertificatesFrom, Config, ConfigError, Loaded};
use weft_discovery::ConsulSettings;

use crate::StartError;

/// A rule about callers that names what nobody knows: it is spelled wrongly, and would hold for nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} names the {what} {name:?}, which no contract of this binary knows")]
pub struct UnknownName {
    /// The setting.
    pub setting: &'static str,
    /// What is named: a domain, a method or a caller.
    pub what: &'static str,
    /// The name.
    pub name: String,
}

/// The rules of the contracts and the configuration.
pub fn caller_rules(config: &Config, contracts: &[&'static Contract]) -> Result<Arc<CallerRules>, StartError> {
    check(config, contracts)?;
    let rules = CallerRules::of(contracts.iter().copied());
    apply(config, &rules);
    Ok(Arc::new(rules))
}

/// Takes what a configuration says of callers, and says so where that is not to be overlooked.
pub(super) fn apply(config: &Config, rules: &CallerRules) {
    let settings = settings(config);
    if rules.set_settings(&settings) && settings.enforcement == Enforcement::AuditOnly {
        tracing::warn!("WHO MAY CALL IS NOT ENFORCED: mesh.caller_rules is audit_only, callers are let through and recorded");
    }
}

/// Refuses a configuration whose rules about callers name what none of these contracts knows.
pub fn check_callers(loaded: &Loaded, contracts: &[&'static Contract]) -> Result<(), ConfigError> {
    check(&loaded.config, contracts).map_err(|UnknownName { setting, what, name }| {
        loaded.unfit(setting, format!("no contract of this binary knows the {what} {name:?}"))
    })
}

/// What the configuration says of callers.
fn settings(config: &Config) -> CallerSettings {
    let pattern = |CallerRule { caller, domain, method }: &CallerRule| CallerPattern {
        caller: caller.clone(),
        domain: domain.clone(),
        method: method.clone(),
    };
    CallerSettings {
        callers: config.mesh.callers.iter().map(pattern).collect(),
        deny: config.mesh.deny.iter().map(pattern).collect(),
        enforcement: match config.mesh.caller_rules {
            weft_config::CallerRules::Enforce => Enforcement::Enforce,
            weft_config::CallerRules::AuditOnly => Enforcement::AuditOnly,
        },
    }
}

fn check(config: &Config, contracts: &[&'static Contract]) -> Result<(), UnknownName> {
    let (added, denied) = (&config.mesh.callers, &config.mesh.deny);
    for (setting, rule) in added.iter().map(|rule| ("mesh.callers", rule)).chain(denied.iter().map(|rule| ("mesh.deny", rule))) {
        let unknown = |what: &'static str, name: &str| UnknownName { setting, what, name: name.to_owned() };
        let contract = contracts.iter().find(|contract| contract.domain == rule.domain);
        let contract = contract.ok_or_else(|| unknown("domain", &rule.domain))?;
        let has = |name: &str| contract.services.iter().any(|service| service.methods.iter().any(|known| known.name == name));
        if let Some(method) = rule.method.as_deref().filter(|name| !has(name)) {
            return Err(unknown("method", method));
        }
    }
    let is_known = |caller: &str| {
        caller == EDGE
            || contracts.iter().any(|contract| contract.domain == caller || names(contract, caller))
            || added.iter().any(|rule| rule.caller.as_deref() == Some(caller))
    };
    match denied.iter().filter_map(|rule| rule.caller.as_deref()).find(|caller| !is_known(caller)) {
        Some(caller) => Err(UnknownName { setting: "mesh.deny", what: "caller", name: caller.to_owned() }),
        None => Ok(()),
    }
}

/// Whether a method of the contract names the caller.
fn names(contract: &Contract, caller: &str) -> bool {
    let mut methods = contract.services.iter().flat_map(|service| service.methods);
    methods.any(|method| method.access.callers.contains(&caller))
}

/// The intentions for calls to these domains, kept current in the rules, where the certificates that say who calls are
/// Consul's.
pub(super) async fn intentions(
    config: &Config,
    agent: Option<&ConsulSettings>,
    domains: impl Iterator<Item = &'static str>,
    rules: &Arc<CallerRules>,
) -> Result<Option<Arc<ConsulIntentions>>, StartError> {
    let Some(agent) = agent.filter(|_| config.mesh.certificates_from == CertificatesFrom::Consul) else { return Ok(None) };
    Ok(Some(Arc::new(ConsulIntentions::follow(agent, domains, Arc::clone(rules)).await?)))
}
