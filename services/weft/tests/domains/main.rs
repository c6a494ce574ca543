//! What holds for every domain of the table, found by going through the table.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the count shows that the test found what it is about")]

#[path = "../../src/domains.rs"]
mod table;

use std::collections::BTreeSet;

use weft::store::{Databases, Settings, check};

/// Every statement of every domain can be prepared by the role that runs it, and names the tenant if it is a tenant's.
async fn every_statement_can_run(settings: Settings) {
    let databases = Databases::open(&settings).await.unwrap();
    let mut statements = 0;
    for domain in table::domains() {
        databases.migrate(domain.schema()).await.unwrap();
        if let Err(error) = check::prepare_all(&databases, domain.schema()).await {
            panic!("{error}");
        }
        let own = domain.schema().all_statements().count();
        assert!(own > 0, "{} registers no statements", domain.name());
        statements += own;
    }
    println!("{statements} statements prepared");
}

#[tokio::test]
async fn every_statement_can_run_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    every_statement_can_run(Settings::sqlite(folder.path().join("data"))).await;
}

#[tokio::test]
async fn every_statement_can_run_on_postgres() {
    let url = match weft_test_postgres::database().await {
        Ok(url) => String::from(url),
        Err(error) => panic!("{error}"),
    };
    every_statement_can_run(Settings::postgres(url.into())).await;
}

#[test]
fn every_domain_has_a_name_and_a_port_of_its_own() {
    let domains = table::domains();
    let names: BTreeSet<_> = domains.iter().map(weft::Domain::name).collect();
    let ports: BTreeSet<_> = domains.iter().map(|domain| domain.default_port().expect("a port")).collect();
    assert_eq!((names.len(), ports.len()), (domains.len(), domains.len()));
    // The edge's and the admin port's.
    assert!(!ports.contains(&8080) && !ports.contains(&9901));
}
