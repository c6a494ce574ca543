//! Who may call a method, how often, and what a repeat does.

use crate::{
    Refusal,
    options::{CallPolicy, Idempotency, LimitScope},
    package::{Method, Package},
};

pub(super) fn refusals(package: &Package) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for method in package.services.iter().flat_map(|service| &service.methods) {
        let problems = access(&method.policy)
            .into_iter()
            .chain(limits(&method.policy))
            .chain(idempotency(method))
            .chain(replica(&method.policy));
        let (file, name) = (method.descriptor.parent_file(), method.descriptor.full_name());
        refusals.extend(problems.map(|problem| package.refusal(&file, name, problem)));
    }
    refusals
}

fn access(policy: &CallPolicy) -> Vec<&'static str> {
    let conditions = [policy.authenticated, !policy.permission.is_empty(), !policy.callers.is_empty()];
    let conditions = conditions.into_iter().filter(|set| *set).count();
    let mut problems = Vec::new();
    if !policy.public && conditions == 0 {
        problems.push("says nothing of access: declare `public`, `authenticated`, `permission` or `callers`");
    }
    if policy.public && conditions > 0 {
        problems.push("is `public` and asks for more: `public` stands alone");
    }
    if policy.any_of && conditions < 2 {
        problems.push("says `any_of` and has not two conditions to choose from");
    }
    if policy.permission.is_empty() && !policy.roles.is_empty() {
        problems.push("names `roles` and no `permission` that they hold");
    }
    problems
}

fn limits(policy: &CallPolicy) -> Vec<&'static str> {
    let mut problems = Vec::new();
    for limit in &policy.limit {
        if LimitScope::try_from(limit.per).map_or(true, |per| per == LimitScope::Unspecified) {
            problems.push("has a limit and says not who shares it: set `per`");
        }
        if limit.rate == 0 {
            problems.push("has a limit of no calls at all: set `rate`");
        }
    }
    problems
}

fn idempotency(method: &Method) -> Option<&'static str> {
    let keyed = method.policy.idempotency() == Idempotency::Keyed;
    (keyed && !method.is_unary()).then_some("is KEYED and streams: only the answer of a unary method can be kept")
}

fn replica(policy: &CallPolicy) -> Option<&'static str> {
    let may = policy.idempotency() == Idempotency::Read && policy.system.is_empty();
    (policy.replica && !may).then_some("may be answered from a `replica`, and is not READ or works across tenants")
}
