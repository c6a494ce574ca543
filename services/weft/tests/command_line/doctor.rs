//! What doctor finds, as an operator is told it.

use std::net::TcpListener;

use serde_json::Value;
use weft_test_ports::free_port;

use crate::given::{Ended, FREE_PORTS, Given, weft};

fn examined(given: &Given, words: &[&str]) -> (Ended, Vec<Value>) {
    let ended = given.run(&[&["doctor", "--json"][..], &FREE_PORTS, words].concat());
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{} {}", ended.stdout, ended.stderr));
    let findings = told["findings"].as_array().unwrap().clone();
    (ended, findings)
}

/// The verdict on something, what was found, and what to do.
fn finding<'a>(findings: &'a [Value], what: &str) -> (&'a str, &'a str, &'a str) {
    let finding = findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {findings:?}"));
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    (text("verdict"), text("found"), text("remedy"))
}

#[test]
fn on_a_laptop_with_nothing_installed_nothing_is_bad_and_nothing_is_made() {
    let given = weft();
    let (ended, findings) = examined(&given, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(finding(&findings, "data_dir").0, "good");
    assert_eq!(std::fs::read_dir(given.folder.path()).unwrap().count(), 0, "it makes nothing");
    let plain = given.run(&[&["doctor"][..], &FREE_PORTS].concat());
    assert!(plain.stdout.lines().any(|line| line.starts_with("good") && line.contains("configuration")), "{}", plain.stdout);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_what_to_do() {
    let free = format!("127.0.0.1:{}", free_port().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("admin.port={}", taken.local_addr().unwrap().port());
    let given = weft()
        .variable("DATABASE_URL", &format!("postgres://weft:hunter2@{free}/weft"))
        .variable("REDIS_URL", &format!("redis://:hunter2@{free}"))
        .variable("CONSUL_HTTP_ADDR", &free)
        .variable("WEFT_MESH_UPSTREAMS_CATALOG", &free)
        .variable("WEFT_MESH_CERTIFICATES_FROM", "files");
    let (ended, findings) = examined(&given, &["--set", &port]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.sentence().ends_with("keeps weft from working: 4"), "{}", ended.stderr);
    for (what, remedy) in [
        ("database", "database.url"),
        ("redis", "redis.url"),
        ("consul", "consul.address"),
        ("certificates", "mesh.certificates"),
    ] {
        let told = finding(&findings, what);
        assert!(told.0 == "bad" && told.2.contains(remedy), "{what}: {told:?}");
    }
    for what in ["upstream catalog", "port of admin"] {
        assert_eq!(finding(&findings, what).0, "warning");
    }
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"), "a secret is told");
}

#[tokio::test]
async fn a_database_is_reached_with_its_clock_and_what_is_pending_is_told() {
    let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
    let given = weft().variable("DATABASE_URL", url.as_str());
    let (_, before) = examined(&given, &[]);
    assert_eq!(finding(&before, "clock").0, "good");
    let (verdict, found, remedy) = finding(&before, "database");
    assert!(verdict == "warning" && found.contains("pending") && remedy.contains("weft migrate"), "{before:?}");
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let (ended, after) = examined(&given, &[]);
    assert_eq!((ended.code, finding(&after, "database").0), (Some(0), "good"));
}

#[test]
fn a_wrong_configuration_is_the_one_finding() {
    let (ended, findings) = examined(&weft().variable("WEFT_EDGE_MAX_BODY", "many"), &[]);
    assert_eq!((ended.code, findings.len()), (Some(1), 1));
    assert!(finding(&findings, "configuration").1.contains("WEFT_EDGE_MAX_BODY"), "{findings:?}");
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let given = weft();
    for shell in ["bash", "zsh", "fish"] {
        let completions = given.run(&["completions", shell]);
        assert!(completions.code == Some(0) && completions.stdout.contains("doctor"), "{shell}");
    }
    assert_eq!(given.run(&["manual", "pages"]).code, Some(0));
    let page = std::fs::read_to_string(given.folder.path().join("pages/weft-doctor.1")).unwrap();
    assert!(page.contains("tell what is wrong and what to do"), "{page}");
}
