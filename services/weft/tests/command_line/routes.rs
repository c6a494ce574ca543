//! What the binary tells of itself.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use serde_json::Value;
use weft_call::{Contract, Declares};
use weft_contracts_auth::AuthContract;
use weft_contracts_catalog::CatalogContract;
use weft_contracts_events::EventsContract;
use weft_contracts_orders::OrdersContract;

use crate::given::weft;

fn contracts() -> [&'static Contract; 4] {
    [AuthContract::CONTRACT, CatalogContract::CONTRACT, OrdersContract::CONTRACT, EventsContract::CONTRACT]
}

#[test]
fn routes_as_json_hold_every_method_with_its_whole_policy() {
    let ended = weft().run(&["routes", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let routes: Value = serde_json::from_str(&ended.stdout).unwrap();
    let told = routes["methods"].as_array().unwrap();
    let methods: Vec<_> = contracts().iter().flat_map(|contract| contract.services).flat_map(|service| service.methods).collect();
    assert_eq!(told.len(), methods.len());
    for (told, method) in told.iter().zip(methods) {
        assert_eq!(told["path"], method.path);
        assert_eq!(told["domain"], method.domain);
        assert_eq!(told["access"]["public"], method.access.public);
        assert_eq!(told["access"]["permission"].as_str(), method.access.permission);
        assert_eq!(told["access"]["callers"].as_array().unwrap().len(), method.access.callers.len());
        assert_eq!(told["system"].as_str(), method.system);
        assert_eq!(told["deadlineMs"].as_u64().map(u128::from), method.deadline.map(|deadline| deadline.as_millis()));
        assert_eq!(told["http"].as_array().unwrap().len(), method.http.len());
        assert_eq!(told["limits"].as_array().unwrap().len(), method.limits.len());
    }
    let order = told.iter().find(|told| told["method"] == "CreateOrder").unwrap();
    assert_eq!((&order["idempotency"], &order["calls"][0]), (&"KEYED".into(), &"weft.catalog.v1.Catalog".into()));
    let jobs: BTreeSet<_> = routes["jobs"].as_array().unwrap().iter().map(|job| job["job"].as_str().unwrap()).collect();
    assert!(jobs.contains("expire_sessions") && jobs.contains("expire_idempotency_records"), "{jobs:?}");
}

#[test]
fn routes_in_a_pipe_are_a_line_a_method_without_drawing() {
    let ended = weft().run(&["routes"]);
    let line = ended.stdout.lines().find(|line| line.starts_with("orders/Orders.CreateOrder ")).unwrap();
    for part in ["POST /api/v1/orders", "orders.create", "tenant", "KEYED"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(ended.stdout.is_ascii(), "{}", ended.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    let mut child = command.args(["routes", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn the_configuration_is_shown_with_its_sources_and_without_secrets() {
    let given = weft().variable("DATABASE_URL", "postgres://ada:hunter2@db.example/shop").file("[edge]\nport = 7000\n");
    let ended = given.run(&["config", "--set", "admin.port=7001"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for line in ["edge.port = 7000  # weft.toml:2", "admin.port = 7001  # --set admin.port", "database.url = "] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
}
