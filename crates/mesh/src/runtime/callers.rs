//! Who may call the domains of a process: the contracts, the configuration and, where Consul says who calls, its
//! intentions.

use std::sync::Arc;

use weft_access::{CallerPattern, CallerRules, CallerSettings, ConsulIntentions, EDGE, Enforcement};
use weft_call::Contract;
use weft_config::{CallerRule, CertificatesFrom, Config};
use weft_discovery::ConsulSettings;

use crate::StartError;

/// The rules of the contracts and the configuration. Fails when the configuration names a domain, a method or, among
/// those that are denied, a caller that nobody knows: a rule that is spelled wrongly would deny nobody.
pub fn caller_rules(config: &Config, contracts: &[&'static Contract]) -> Result<Arc<CallerRules>, StartError> {
    check(config, contracts)?;
    let rules = CallerRules::of(contracts.iter().copied()).with(&settings(config));
    if settings(config).enforcement == Enforcement::AuditOnly {
        tracing::warn!("WHO MAY CALL IS NOT ENFORCED: mesh.caller_rules is audit_only, callers are let through and recorded");
    }
    Ok(Arc::new(rules))
}

/// What the configuration says of callers.
pub(super) fn settings(config: &Config) -> CallerSettings {
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

fn check(config: &Config, contracts: &[&'static Contract]) -> Result<(), StartError> {
    let (added, denied) = (&config.mesh.callers, &config.mesh.deny);
    for (setting, rule) in added.iter().map(|rule| ("mesh.callers", rule)).chain(denied.iter().map(|rule| ("mesh.deny", rule))) {
        let unknown = |what: &'static str, name: &str| StartError::CallerRule { setting, what, name: name.to_owned() };
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
        Some(caller) => Err(StartError::CallerRule { setting: "mesh.deny", what: "caller", name: caller.to_owned() }),
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
