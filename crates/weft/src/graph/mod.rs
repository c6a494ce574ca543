//! Who may call whom, as the rules that servers decide by say: nothing is started for it.
//!
//! Problem: operators must see the callers of a domain, and must tell them to a network that knows nothing of contracts.
//! Rule: the graph asks the same rules as a server does, contracts and configuration together, so the two cannot differ.
//! Intentions of a registry are not asked: they change by the minute.

mod mermaid;
mod network_policy;
mod text;

use std::{collections::BTreeSet, io::Write};

use clap::ValueEnum;
use weft_access::{CallerRules, CallerVerdict, EDGE};
use weft_call::{Contract, MethodContract};
use weft_config::Config;
use weft_mesh::{Domain, caller_rules};

use crate::{failure::Failure, routes::Form};

/// How the graph is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for each caller and callee
    Text,
    /// A flowchart for Mermaid
    Mermaid,
    /// NetworkPolicies for Kubernetes, as YAML
    #[value(name = "networkpolicy")]
    NetworkPolicy,
}

/// One domain's right to call another.
#[derive(Debug)]
struct Edge {
    caller: String,
    callee: &'static str,
    /// The names of the methods that it may call.
    methods: Vec<&'static str>,
    /// How many there are.
    of: usize,
}

/// Shows who may call whom among these domains and the edge.
pub(crate) fn show(domains: &[Domain], config: &Config, format: Format, out: &mut impl Write) -> Result<(), Failure> {
    let contracts: Vec<_> = domains.iter().map(Domain::contract).collect();
    let rules = caller_rules(config, &contracts)?;
    let edges = edges(&contracts, &rules, &callers(&contracts, config));
    let text = match format {
        Format::Text => text::render(&edges, Form::of_stdout(false)),
        Format::Mermaid => mermaid::render(&names(&contracts), &edges),
        Format::NetworkPolicy => network_policy::render(domains, config, &edges).map_err(Failure::Policy)?,
    };
    writeln!(out, "{}", text.trim_end()).map_err(Failure::Output)
}

/// The edge and the domains.
fn names(contracts: &[&'static Contract]) -> Vec<&'static str> {
    [EDGE].into_iter().chain(contracts.iter().map(|contract| contract.domain)).collect()
}

/// Everybody who may be a caller: also those that are no domains of this binary.
fn callers(contracts: &[&'static Contract], config: &Config) -> BTreeSet<String> {
    let named = contracts.iter().flat_map(|contract| methods(contract)).flat_map(|method| method.access.callers).copied();
    let added = config.mesh.callers.iter().filter_map(|rule| rule.caller.as_deref());
    names(contracts).into_iter().chain(named).chain(added).map(str::to_owned).collect()
}

fn edges(contracts: &[&'static Contract], rules: &CallerRules, callers: &BTreeSet<String>) -> Vec<Edge> {
    let between = |caller: &String, contract: &'static Contract| {
        let is_allowed = |method: &&MethodContract| rules.verdict(method, caller) == CallerVerdict::Allowed;
        let allowed: Vec<_> = methods(contract).filter(is_allowed).map(|method| method.name).collect();
        let of = methods(contract).count();
        let edge = Edge { caller: caller.clone(), callee: contract.domain, methods: allowed, of };
        (!edge.methods.is_empty()).then_some(edge)
    };
    callers.iter().flat_map(|caller| contracts.iter().filter_map(move |contract| between(caller, contract))).collect()
}

fn methods(contract: &'static Contract) -> impl Iterator<Item = &'static MethodContract> {
    contract.services.iter().flat_map(|service| service.methods)
}

impl Edge {
    fn is_whole(&self) -> bool {
        self.methods.len() == self.of
    }
}
