//! Migrations as a step of their own.

use crate::given::{FREE_PORTS, Given, address, http, weft, weft_in_parts};

#[test]
fn on_sqlite_what_is_pending_is_told_then_applied_and_then_no_longer_pending() {
    is_told_then_applied(&weft());
}

#[tokio::test]
async fn on_postgres_what_is_pending_is_told_then_applied_and_then_no_longer_pending() {
    match weft_test_postgres::database().await {
        Ok(url) => is_told_then_applied(&weft().variable("DATABASE_URL", url.as_str())),
        Err(error) => panic!("{error}"),
    }
}

fn is_told_then_applied(given: &Given) {
    let pending = given.run(&["migrate", "--check"]);
    assert_eq!(pending.code, Some(1), "{}", pending.stderr);
    assert!(pending.sentence().contains("migrations are pending: run `"), "{}", pending.stderr);
    assert!(pending.stdout.lines().any(|line| line == "pending orders: orders/0001_orders"), "{}", pending.stdout);

    let applied = given.run(&["migrate"]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    assert_eq!(applied.stdout.replace("applied", "pending"), pending.stdout);

    for words in [&["migrate", "--check"][..], &["migrate"]] {
        let ended = given.run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "the databases are up to date\n"), "{}", ended.stderr);
    }
}

#[test]
fn serve_refuses_a_database_that_lacks_migrations_and_takes_it_with_them() {
    let given = weft_in_parts();
    let words = [&["serve", "auth", "edge"][..], &FREE_PORTS].concat();
    let refused = given.run(&words);
    assert_eq!(refused.code, Some(1));
    assert!(refused.sentence().contains("auth/0001_auth") && refused.sentence().contains("run `weft migrate`"));

    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut started = given.start(&words);
    let addresses = started.addresses();
    assert_eq!(addresses.len(), 3, "auth, edge, admin: {addresses:?}");
    assert_eq!(http(address(&addresses, "edge"), "GET", "/api/v1/auth/jwks", "").0, 200);
    // The catalog is not in this process, and no setting says where it is.
    assert_eq!(http(address(&addresses, "edge"), "GET", "/api/v1/products", "").0, 404);
    assert_eq!(started.stop("-INT").code(), Some(0));
}
