//! What the rules say of callers and principals, and how they change.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use uuid::Uuid;
use weft_call::{Access, Audit, Idempotency, MethodKind, ServiceContract, TenantId, User};

use super::*;

const CLOSED: Access = Access { public: false, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };

fn method(access: Access) -> MethodContract {
    MethodContract {
        index: 0,
        domain: "catalog",
        service: "weft.catalog.v1.Catalog",
        name: "GetProduct",
        path: "/weft.catalog.v1.Catalog/GetProduct",
        input: "",
        output: "",
        kind: MethodKind::Unary,
        access,
        system: None,
        deadline: None,
        idempotency: Idempotency::Read,
        replica: false,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}

/// Orders declares that it calls the catalog.
const ORDERS: Contract = Contract {
    domain: "orders",
    package: "weft.orders.v1",
    services: &[ServiceContract {
        name: "weft.orders.v1.Orders",
        domain: "orders",
        calls: &["weft.catalog.v1.Catalog"],
        permissions: &[],
        methods: &[],
    }],
    reasons: &[],
    events: &[],
    descriptor_set: &[],
};

fn rules() -> CallerRules {
    CallerRules::of([&ORDERS])
}

fn pattern(caller: &str, method: Option<&str>) -> CallerPattern {
    CallerPattern {
        caller: Some(caller.to_owned()).filter(|caller| caller != "*"),
        domain: "catalog".to_owned(),
        method: method.map(str::to_owned),
    }
}

/// As a server decides.
fn decide(rules: &CallerRules, access: Access, peer: &str, principal: &Principal, permissions: &Permissions) -> Result<()> {
    let method = method(access);
    let verdict = rules.verdict(&method, peer);
    verdict.check(&method, peer)?;
    verdict.demand(&method, peer, principal, permissions)
}

fn verdict(rules: &CallerRules, access: Access, peer: &str) -> CallerVerdict {
    rules.verdict(&method(access), peer)
}

fn user() -> Principal {
    let tenant = TenantId(Uuid::now_v7());
    let roles = Arc::from(["staff".to_owned()]);
    Principal::User(User { id: Uuid::now_v7(), tenant, session: Uuid::now_v7(), roles, epoch: 0 })
}

fn reason(access: Access, peer: &str, principal: &Principal, permissions: &[&'static str]) -> Option<MeshReason> {
    let permissions = Permissions::of(permissions.iter().copied());
    decide(&rules(), access, peer, principal, &permissions).err().and_then(|error| error.reason())
}

#[test]
fn what_nothing_allows_is_refused() {
    for peer in ["edge", "orders", "stranger"] {
        let expected = if peer == "orders" { None } else { Some(MeshReason::CallerNotAllowed) };
        assert_eq!(reason(CLOSED, peer, &user(), &[]), expected, "{peer}");
    }
}

#[test]
fn a_permission_is_demanded_of_users_whoever_carries_their_call() {
    let access = Access { permission: Some("read"), ..CLOSED };
    for peer in ["edge", "orders"] {
        assert_eq!(reason(access, peer, &user(), &["read"]), None);
        assert_eq!(reason(access, peer, &user(), &["write"]), Some(MeshReason::PermissionMissing));
        assert_eq!(reason(access, peer, &Principal::Anonymous, &["read"]), Some(MeshReason::CredentialsMissing));
    }
    assert_eq!(reason(access, "stranger", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
}

#[test]
fn named_callers_close_the_door_to_all_others_unless_any_of() {
    let both = Access { permission: Some("read"), callers: &["timers"], ..CLOSED };
    assert_eq!(reason(both, "timers", &user(), &["read"]), None);
    assert_eq!(reason(both, "timers", &Principal::Workload("timers".into()), &[]), Some(MeshReason::CredentialsMissing));
    assert_eq!(reason(both, "edge", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
    assert_eq!(reason(both, "orders", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
    let either = Access { any_of: true, ..both };
    assert_eq!(reason(either, "timers", &Principal::Workload("timers".into()), &[]), None);
    assert_eq!(reason(either, "edge", &user(), &["read"]), None);
    assert_eq!(reason(either, "edge", &user(), &[]), Some(MeshReason::PermissionMissing));
}

#[test]
fn a_public_method_is_for_the_edge_and_declared_callers() {
    let access = Access { public: true, ..CLOSED };
    assert_eq!(reason(access, "edge", &Principal::Anonymous, &[]), None);
    assert_eq!(reason(access, "stranger", &Principal::Anonymous, &[]), Some(MeshReason::CallerNotAllowed));
}

#[test]
fn the_edge_may_call_what_serves_users_and_nothing_else_unless_it_is_named() {
    let public = Access { public: true, ..CLOSED };
    assert_eq!(verdict(&rules(), public, EDGE), CallerVerdict::Allowed);
    assert_eq!(verdict(&rules(), CLOSED, EDGE), CallerVerdict::Refused(CallerRefusal::Contract));
    let named = Access { callers: &["edge"], ..CLOSED };
    assert_eq!(verdict(&rules(), named, EDGE), CallerVerdict::Allowed);
    let others = Access { callers: &["timers"], public: true, ..CLOSED };
    assert_eq!(verdict(&rules(), others, EDGE), CallerVerdict::Refused(CallerRefusal::Contract));
}

#[test]
fn configuration_adds_callers_but_never_to_methods_that_name_theirs_unless_it_names_the_method() {
    let named = Access { callers: &["timers"], ..CLOSED };
    let added = |method| rules().with(&CallerSettings { callers: vec![pattern("reports", method)], ..CallerSettings::default() });
    assert_eq!(verdict(&added(None), CLOSED, "reports"), CallerVerdict::Allowed);
    assert_eq!(verdict(&added(None), named, "reports"), CallerVerdict::Refused(CallerRefusal::Contract));
    assert_eq!(verdict(&added(Some("GetProduct")), named, "reports"), CallerVerdict::Allowed);
    assert_eq!(verdict(&added(Some("ListProducts")), named, "reports"), CallerVerdict::Refused(CallerRefusal::Contract));
}

#[test]
fn a_caller_that_configuration_adds_needs_the_authority_that_the_contract_demands() {
    let either = Access { permission: Some("read"), callers: &["timers"], any_of: true, ..CLOSED };
    let settings = CallerSettings { callers: vec![pattern("reports", Some("GetProduct"))], ..CallerSettings::default() };
    let rules = rules().with(&settings);
    let (nobody, none) = (Principal::Workload("reports".into()), Permissions::none());
    let refused = decide(&rules, either, "reports", &nobody, &none).unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::CredentialsMissing));
    assert!(decide(&rules, either, "timers", &nobody, &none).is_ok());
}

#[test]
fn what_configuration_denies_is_refused_whatever_allows_it() {
    let public = Access { public: true, callers: &["orders", "edge"], any_of: true, ..CLOSED };
    let denied = CallerVerdict::Refused(CallerRefusal::Configuration);
    let allowed = CallerVerdict::Allowed;
    for (deny, expected) in [
        (pattern("orders", None), [denied, allowed]),
        (pattern("orders", Some("GetProduct")), [denied, allowed]),
        (pattern("orders", Some("ListProducts")), [allowed, allowed]),
        (pattern("*", None), [denied, denied]),
    ] {
        let rules = rules().with(&CallerSettings { deny: vec![deny.clone()], ..CallerSettings::default() });
        assert_eq!(["orders", "edge"].map(|peer| verdict(&rules, public, peer)), expected, "{deny:?}");
    }
    let elsewhere = CallerPattern { domain: "carts".to_owned(), ..pattern("*", None) };
    let rules = rules().with(&CallerSettings { deny: vec![elsewhere], ..CallerSettings::default() });
    assert_eq!(verdict(&rules, public, "orders"), allowed);
}

#[test]
fn an_intention_refuses_what_the_contract_allows_and_never_allows_what_it_refuses() {
    let rules = rules();
    rules.set_intentions("catalog", &Intentions::new([(Sources::One("orders".to_owned()), false)], true));
    assert_eq!(verdict(&rules, CLOSED, "orders"), CallerVerdict::Refused(CallerRefusal::Intention));
    assert_eq!(verdict(&rules, CLOSED, "stranger"), CallerVerdict::Refused(CallerRefusal::Contract));
    rules.set_intentions("carts", &Intentions::new([], false));
    rules.set_intentions("catalog", &Intentions::new([], true));
    assert_eq!(verdict(&rules, CLOSED, "orders"), CallerVerdict::Allowed);
}

#[test]
fn a_refusal_names_the_caller_and_the_rule() {
    let rules = rules().with(&CallerSettings { deny: vec![pattern("orders", None)], ..CallerSettings::default() });
    let refused = decide(&rules, CLOSED, "orders", &user(), &Permissions::none()).unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::CallerNotAllowed));
    assert_eq!(refused.message(), "orders may not call /weft.catalog.v1.Catalog/GetProduct: mesh.deny says so");
    let facts: Vec<_> = refused.metadata().iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(facts, [("caller", "orders"), ("rule", "configuration")]);
}

#[test]
fn audit_only_hands_the_refusal_back_but_demands_authority_all_the_same() {
    let rules = rules().with(&CallerSettings { enforcement: Enforcement::AuditOnly, ..CallerSettings::default() });
    let needs = Access { permission: Some("read"), ..CLOSED };
    let (read, none) = (Permissions::of(["read"]), Permissions::none());
    assert_eq!(verdict(&rules, needs, "stranger"), CallerVerdict::Unenforced(CallerRefusal::Contract));
    assert_eq!(verdict(&rules, needs, "orders"), CallerVerdict::Allowed);
    decide(&rules, needs, "stranger", &user(), &read).unwrap();
    let refused = decide(&rules, needs, "stranger", &user(), &none).unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::PermissionMissing));
    // Denied, so its name in the contract stands for nothing.
    let either = Access { callers: &["timers"], any_of: true, ..needs };
    rules.set_intentions("catalog", &Intentions::new([], false));
    let refused = decide(&rules, either, "timers", &Principal::Anonymous, &none).unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::CredentialsMissing));
}

#[test]
fn nothing_is_left_for_a_caller_when_every_method_refuses_it() {
    let rules = rules();
    let methods = [method(CLOSED), method(Access { callers: &["timers"], ..CLOSED })];
    let callers = |rules: &CallerRules| ["orders", "timers", "edge"].map(|peer| rules.admits_to_any(&methods, peer));
    assert_eq!(callers(&rules), [true, true, false]);
    rules.set_settings(&CallerSettings { deny: vec![pattern("timers", None)], ..CallerSettings::default() });
    assert_eq!(callers(&rules), [true, false, false]);
    rules.set_settings(&CallerSettings { enforcement: Enforcement::AuditOnly, ..CallerSettings::default() });
    assert_eq!(callers(&rules), [true, true, true]);
}

#[test]
fn a_change_of_the_rules_is_told() {
    let rules = rules();
    let mut changes = rules.changes();
    assert!(!changes.has_changed().unwrap());
    rules.set_intentions("catalog", &Intentions::new([], true));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert!(!rules.set_settings(&CallerSettings::default()), "it holds already");
    assert!(!changes.has_changed().unwrap());
    assert!(rules.set_settings(&CallerSettings { deny: vec![pattern("*", None)], ..CallerSettings::default() }));
    assert!(changes.has_changed().unwrap());
}

#[test]
fn an_allowed_call_is_decided_without_an_allocation() {
    let rules = rules().with(&CallerSettings { deny: vec![pattern("carts", None)], ..CallerSettings::default() });
    rules.set_intentions("catalog", &Intentions::new([(Sources::One("orders".to_owned()), true)], false));
    let (principal, permissions) = (user(), Permissions::of(["read"]));
    let access = Access { permission: Some("read"), ..CLOSED };
    let allowed = || assert!(decide(&rules, access, "orders", &principal, &permissions).is_ok());
    // The first look at the rules may set up what its thread keeps.
    allowed();
    assert_eq!(allocation_counter::measure(allowed).count_total, 0);
}
