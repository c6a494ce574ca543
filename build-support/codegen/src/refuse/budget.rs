//! Deadlines, and whom a service may call.
//!
//! A caller must not give up before its callee would have answered. Where methods name the methods that
//! they call, each deadline is held against each callee's. Where only the service is named, the least
//! that can be said is said: no unary method may have less time than the quickest method of the service.

use std::{collections::BTreeSet, time::Duration};

use prost_reflect::FileDescriptor;

use crate::{
    Refusal,
    package::{Method, Package, Service},
};

/// The longest deadline. What takes longer is a stream or a job.
const LONGEST: i128 = 3600 * SECOND;
const SECOND: i128 = 1_000_000_000;

pub(super) fn refusals(package: &Package, uses: &BTreeSet<String>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for service in &package.services {
        let (file, name) = (service.descriptor.parent_file(), service.descriptor.full_name());
        let problems = calls(package, service, uses);
        refusals.extend(problems.into_iter().map(|problem| package.refusal(&file, name, problem)));
        refusals.extend(cycle(package, service).map(|problem| package.refusal(&file, name, problem)));
        for method in &service.methods {
            refusals.extend(of_method(package, service, method, &file));
        }
    }
    refusals
}

fn of_method(package: &Package, service: &Service, method: &Method, file: &FileDescriptor) -> Vec<Refusal> {
    let mut problems: Vec<_> = deadline(method).into_iter().collect();
    problems.extend(method.policy.calls.iter().filter_map(|callee| callee_problem(package, service, method, callee)));
    problems.extend(service.policy.calls.iter().filter_map(|callee| least_budget(package, service, method, callee)));
    problems.into_iter().map(|problem| package.refusal(file, method.descriptor.full_name(), problem)).collect()
}

fn deadline(method: &Method) -> Option<String> {
    match method.deadline() {
        None if method.is_unary() => Some("has no deadline: every unary method has one".to_owned()),
        Some(deadline) if deadline <= 0 => Some("its deadline leaves no time".to_owned()),
        Some(deadline) if deadline > LONGEST => Some(format!("its deadline of {} is more than an hour", said(deadline))),
        _ => None,
    }
}

/// The services that a service says it calls.
fn calls(package: &Package, service: &Service, uses: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for callee in &service.policy.calls {
        let (callee_package, _) = callee.rsplit_once('.').unwrap_or_default();
        if callee == service.descriptor.full_name() {
            problems.push("calls itself".to_owned());
        } else if find_service(package, callee).is_none() {
            problems.push(format!("calls {callee}, which no file declares"));
        } else if !uses.contains(callee_package) {
            let hint = format!(".uses(\"{callee_package}\", \"::the_crate_that_has_it\")");
            problems.push(format!("calls {callee}: add `{hint}` to the build script"));
        }
    }
    problems
}

/// The way from a service back to itself, if there is one over others.
fn cycle(package: &Package, service: &Service) -> Option<String> {
    let own = service.descriptor.full_name();
    let mut seen = BTreeSet::new();
    let mut open: Vec<_> = service.policy.calls.iter().filter(|callee| *callee != own).map(|callee| vec![callee]).collect();
    while let Some(way) = open.pop() {
        let last = way.last()?.as_str();
        if last == own {
            let way: Vec<_> = way.into_iter().map(String::as_str).collect();
            return Some(format!("calls itself by way of {}", way[..way.len() - 1].join(" and ")));
        }
        if seen.insert(last) {
            let next = find_service(package, last).into_iter().flat_map(|next| &next.policy.calls);
            open.extend(next.map(|callee| way.iter().copied().chain([callee]).collect()));
        }
    }
    None
}

/// What is wrong with a method that a method says it calls.
fn callee_problem(package: &Package, service: &Service, method: &Method, callee: &str) -> Option<String> {
    let (callee_service, _) = callee.rsplit_once('.').unwrap_or_default();
    if !service.policy.calls.iter().any(|called| called == callee_service) {
        return Some(format!("calls {callee}, and its service does not list {callee_service} in `calls`"));
    }
    let found = find_service(package, callee_service)?;
    let Some(found) = found.methods.iter().find(|found| found.descriptor.full_name() == callee) else {
        return Some(format!("calls {callee}, which no file declares"));
    };
    let (own, needed) = (method.deadline().filter(|_| method.is_unary())?, found.deadline()?);
    (own < needed)
        .then(|| format!("its deadline of {} is shorter than the {} of {callee}, which it calls", said(own), said(needed)))
}

/// A unary method that has less time than anything it could call, where no method says what it calls.
fn least_budget(package: &Package, service: &Service, method: &Method, callee: &str) -> Option<String> {
    let of_callee = |name: &String| name.rsplit_once('.').is_some_and(|(service, _)| service == callee);
    if service.methods.iter().any(|method| method.policy.calls.iter().any(of_callee)) {
        return None;
    }
    let quickest = find_service(package, callee)?.methods.iter().filter_map(Method::deadline).min()?;
    let own = method.deadline().filter(|_| method.is_unary())?;
    (own < quickest).then(|| {
        format!(
            "its deadline of {} is shorter than any of {callee}, which its service calls: let methods name in `calls` what they call",
            said(own)
        )
    })
}

fn find_service<'a>(package: &'a Package, name: &str) -> Option<&'a Service> {
    package.all_services().find(|service| service.descriptor.full_name() == name)
}

fn said(nanos: i128) -> String {
    u64::try_from(nanos).map_or_else(|_| "less than nothing".to_owned(), |nanos| format!("{:?}", Duration::from_nanos(nanos)))
}
