//! Routes for programs.

use serde::Serialize;
use weft_call::{Access, Audit, Contract, HttpRoute, Idempotency, Limit, LimitScope, MethodContract, MethodKind};
use weft_mesh::{Domain, Schedule};

#[derive(Serialize)]
struct Routes {
    domains: Vec<Served>,
    methods: Vec<Method>,
    jobs: Vec<Job>,
}

/// A domain, as whoever deploys it needs to know it.
#[derive(Serialize)]
struct Served {
    name: &'static str,
    /// Domains of one suite may be deployed together.
    suite: &'static str,
    /// Where it listens unless the configuration says another; null for a free port.
    port: Option<u16>,
    services: Vec<&'static str>,
    /// The domains that it may call.
    calls: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Method {
    domain: &'static str,
    service: &'static str,
    method: &'static str,
    path: &'static str,
    kind: &'static str,
    http: Vec<Http>,
    access: Allowed,
    /// Why it works across tenants; null where it works in one.
    system: Option<&'static str>,
    deadline_ms: Option<u128>,
    idempotency: &'static str,
    limits: Vec<Rate>,
    audit: &'static str,
    /// The services that its service may call.
    calls: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: &'static str,
    template: &'static str,
    body: &'static str,
    response_body: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Allowed {
    public: bool,
    authenticated: bool,
    permission: Option<&'static str>,
    roles: &'static [&'static str],
    callers: &'static [&'static str],
    any_of: bool,
}

#[derive(Serialize)]
struct Rate {
    per: &'static str,
    rate: u32,
    burst: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    domain: &'static str,
    job: &'static str,
    /// Null where it runs at the times of a cron pattern.
    period_ms: Option<u128>,
    /// The cron pattern, in UTC; null where it runs after each period.
    cron: Option<&'static str>,
    /// Why it works across tenants: jobs always do, in a system scope of their own name.
    system: &'static str,
}

pub(super) fn render(domains: &[Domain]) -> Result<String, serde_json::Error> {
    let served = domains.iter().map(|domain| Served::of(domain, domains)).collect();
    let methods = domains.iter().map(Domain::contract).flat_map(methods).collect();
    let jobs = domains.iter().flat_map(jobs).collect();
    serde_json::to_string_pretty(&Routes { domains: served, methods, jobs })
}

pub(super) fn of_methods(methods: &[&MethodContract]) -> String {
    let methods = methods.iter().map(|method| Method::of(&[], method)).collect();
    let routes = Routes { domains: Vec::new(), methods, jobs: Vec::new() };
    // What is serialized has neither maps with odd keys nor a way to fail.
    serde_json::to_string_pretty(&routes).unwrap_or_default()
}

fn methods(contract: &'static Contract) -> impl Iterator<Item = Method> {
    contract.services.iter().flat_map(|service| service.methods.iter().map(|method| Method::of(service.calls, method)))
}

fn jobs(domain: &Domain) -> impl Iterator<Item = Job> {
    let name = domain.name();
    let job = move |(job, schedule): &(&'static str, Schedule)| {
        let period_ms = schedule.period().map(|period| period.as_millis());
        Job { domain: name, job, period_ms, cron: schedule.pattern(), system: job }
    };
    domain.jobs().iter().map(job)
}

impl Served {
    fn of(domain: &Domain, all: &[Domain]) -> Self {
        let services = domain.contract().services;
        let called = |other: &&Domain| {
            let mut theirs = other.contract().services.iter();
            theirs.any(|service| services.iter().any(|own| own.calls.contains(&service.name)))
        };
        Self {
            name: domain.name(),
            suite: domain.suite_name(),
            port: domain.default_port(),
            services: services.iter().map(|service| service.name).collect(),
            calls: all.iter().filter(called).map(Domain::name).collect(),
        }
    }
}

impl Method {
    fn of(calls: &'static [&'static str], method: &MethodContract) -> Self {
        Self {
            domain: method.domain,
            service: method.service,
            method: method.name,
            path: method.path,
            kind: kind(method.kind),
            http: method.http.iter().map(Http::of).collect(),
            access: Allowed::of(&method.access),
            system: method.system,
            deadline_ms: method.deadline.map(|deadline| deadline.as_millis()),
            idempotency: idempotency(method.idempotency),
            limits: method.limits.iter().map(Rate::of).collect(),
            audit: audit(method.audit),
            calls,
        }
    }
}

impl Http {
    fn of(route: &HttpRoute) -> Self {
        let HttpRoute { method, template, body, response_body } = *route;
        Self { method: method.as_str(), template, body, response_body }
    }
}

impl Allowed {
    fn of(access: &Access) -> Self {
        let Access { public, authenticated, permission, roles, callers, any_of } = *access;
        Self { public, authenticated, permission, roles, callers, any_of }
    }
}

impl Rate {
    fn of(limit: &Limit) -> Self {
        Self { per: limit_scope(limit.per), rate: limit.rate, burst: limit.burst }
    }
}

fn kind(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Unary => "UNARY",
        MethodKind::ServerStreaming => "SERVER_STREAMING",
        MethodKind::ClientStreaming => "CLIENT_STREAMING",
        MethodKind::Bidirectional => "BIDIRECTIONAL",
    }
}

/// As contracts write it.
pub(super) fn idempotency(idempotency: Idempotency) -> &'static str {
    match idempotency {
        Idempotency::Read => "READ",
        Idempotency::Natural => "NATURAL",
        Idempotency::Keyed => "KEYED",
        Idempotency::None => "NONE",
    }
}

/// As contracts write it.
pub(super) fn limit_scope(scope: LimitScope) -> &'static str {
    match scope {
        LimitScope::Tenant => "TENANT",
        LimitScope::User => "USER",
        LimitScope::Peer => "PEER",
        LimitScope::Address => "ADDRESS",
    }
}

/// What is recorded of a call.
pub(super) fn audit(audit: Audit) -> &'static str {
    match audit {
        Audit::None => "NONE",
        Audit::Read => "READ",
        Audit::Write => "WRITE",
        Audit::WriteAndRefused => "WRITE_AND_REFUSED",
    }
}
