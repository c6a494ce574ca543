//! What a process tells of itself is what the documentation says.

use std::collections::BTreeSet;

use crate::{
    discovery::eventually,
    given::{FREE_PORTS, address, http, weft},
};

const PAGE: &str = include_str!("../../../../docs/metrics.md");

/// What happens rarely has no line before it has happened; nor have the events that nobody handles, nor a replica where there is
/// none.
const RARE: [&str; 14] = [
    "weft_calls_shed_total",
    "weft_endpoint_ejections_total",
    "weft_retries_total",
    "weft_retries_refused_total",
    "weft_callers_refused_total",
    "weft_streams_revoked_total",
    "weft_connections_revoked_total",
    "weft_edge_connections_ended_total",
    "weft_events_deferred",
    "weft_events_parked",
    "weft_transactions_repeated_total",
    "weft_replica_up",
    "weft_replica_behind_bytes",
    "weft_replica_reads_total",
];

/// The names in the first column of the page's table.
fn documented() -> BTreeSet<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("| `weft_")).filter_map(|rest| rest.split('`').next()).collect()
}

/// The name of a sample as the page writes it, without `weft_`.
fn family(line: &str) -> Option<&str> {
    let name = line.strip_prefix("weft_")?.split(['{', ' ']).next()?;
    Some(["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name))
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_told() {
    let given = weft();
    let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let (edge, admin) = (address(&addresses, "edge"), address(&addresses, "admin"));
    let account = r#"{"email": "ada@example.com", "password": "analytical engine"}"#;
    assert_eq!(http(edge, "POST", "/api/v1/auth/register", account).0, 201);
    let documented = documented();
    assert!(documented.len() > 25, "{documented:?}");
    let rare = |name: &str| RARE.iter().any(|rare| rare.strip_prefix("weft_") == Some(name));
    let told = |text: &str| text.lines().filter_map(family).map(str::to_owned).collect::<BTreeSet<_>>();
    let awaited = || documented.iter().filter(|name| !rare(name));
    let missing = |text: &str| {
        let told = told(text);
        awaited().filter(|name| !told.contains(**name)).copied().collect::<Vec<_>>().join(" ")
    };
    // Backlogs are measured now and then.
    let ask = || {
        let (status, text) = http(admin, "GET", "/metrics", "");
        (status, missing(&text))
    };
    eventually(ask, |(_, missing)| missing.is_empty());
    let text = http(admin, "GET", "/metrics", "").1;
    let unknown: Vec<_> = told(&text).into_iter().filter(|name| !documented.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "docs/metrics.md does not say what these are: {unknown:?}");
    for line in [
        r#"weft_calls_total{side="edge",domain="auth",method="Register",code="OK"} 1"#,
        r#"weft_calls_total{side="client",domain="auth",method="Register",code="OK"} 1"#,
        r#"weft_calls_total{side="server",domain="auth",method="Register",code="OK"} 1"#,
        r#"weft_call_duration_seconds_count{side="server",domain="auth",method="Register"} 1"#,
        r#"weft_endpoints{caller="edge",domain="auth",state="in_service"} 1"#,
        "weft_certificates_stale 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n---\n{text}");
    }
    assert!(text.contains(r#"weft_retry_budget{caller="edge",domain="auth"}"#), "{text}");
    assert!(text.contains(r#"weft_certificate_expiry_seconds{workload="auth"}"#), "{text}");
}
