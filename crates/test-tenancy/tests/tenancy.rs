//! Statements that bind the tenant are let through, and those that do not are named.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;
use weft_call::{CallBuilder, Clock, Scope, TenantId};
use weft_store::{Databases, Dialect, DomainSchema, Read, Settings, Tx};
use weft_test_tenancy::{Tenancy, faults};

const GOOD: &[&str] = &[
    "SELECT id FROM orders WHERE tenant_id = $1 AND id = $2",
    "SELECT id FROM orders WHERE id = $2 AND ($1 = tenant_id)",
    "SELECT id FROM orders WHERE (tenant_id, id) = ($1, $2)",
    "SELECT o.id FROM orders AS o JOIN lines AS l ON l.tenant_id = o.tenant_id AND l.order_id = o.id WHERE o.tenant_id = $1",
    "SELECT o.id FROM orders AS o JOIN lines AS l USING (tenant_id, order_id) WHERE o.tenant_id = $1",
    "SELECT o.id FROM orders AS o LEFT JOIN lines AS l ON l.tenant_id = $1 AND l.order_id = o.id WHERE o.tenant_id = $1",
    "SELECT * FROM (SELECT * FROM orders WHERE tenant_id = $1 LIMIT 5) AS o JOIN lines AS l ON l.tenant_id = o.tenant_id",
    "SELECT id FROM orders WHERE tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM lines WHERE lines.tenant_id = orders.tenant_id)",
    "SELECT id FROM orders WHERE (tenant_id, id) IN (SELECT tenant_id, order_id FROM lines WHERE tenant_id = $1)",
    "WITH o AS (SELECT id FROM orders WHERE tenant_id = $1) SELECT count(*) FROM o",
    "SELECT value FROM settings WHERE name = $2",
    "INSERT INTO orders (id, tenant_id) VALUES ($2, $1)",
    "INSERT INTO lines (tenant_id, order_id) SELECT $1, id FROM orders WHERE tenant_id = $1",
    "INSERT INTO orders (tenant_id, id) VALUES ($1, $2) ON CONFLICT (tenant_id, id) DO UPDATE SET note = ''",
    "INSERT INTO orders (tenant_id, transaction_id) VALUES ($1, (SELECT COALESCE(MAX(transaction_id), 0) + 1 FROM orders))",
    "UPDATE orders SET note = $3 WHERE tenant_id = $1 AND id = $2",
    "UPDATE orders AS o SET note = l.name FROM lines AS l WHERE o.tenant_id = $1 AND l.tenant_id = o.tenant_id",
    "DELETE FROM orders WHERE tenant_id = $1 AND id = $2",
];

const BAD: &[(&str, &str)] = &[
    ("SELECT id FROM orders WHERE id = $1", "orders"),
    ("SELECT id FROM orders", "orders"),
    ("SELECT id FROM orders WHERE tenant_id = $1 OR TRUE", "orders"),
    ("SELECT id FROM orders WHERE tenant_id = $2", "orders"),
    ("SELECT id FROM orders WHERE tenant_id <> $1", "orders"),
    ("SELECT id FROM orders WHERE tenant_id = tenant_id AND $1 = $1", "orders"),
    ("SELECT o.id FROM orders AS o JOIN lines AS l ON l.order_id = o.id WHERE o.tenant_id = $1", "lines"),
    ("SELECT o.id FROM orders AS o LEFT JOIN lines AS l ON l.tenant_id = o.tenant_id AND o.tenant_id = $1", "orders"),
    ("SELECT id FROM orders WHERE tenant_id = $1 AND id IN (SELECT order_id FROM lines)", "lines"),
    ("SELECT id FROM orders WHERE (tenant_id, id) IN (SELECT tenant_id, order_id FROM lines)", "lines"),
    ("SELECT l.id FROM (SELECT $2 AS tenant_id) AS t JOIN lines AS l ON l.tenant_id = t.tenant_id WHERE $1 = $1", "lines"),
    ("WITH o AS (SELECT id FROM orders) SELECT count(*) FROM o WHERE id = $1", "orders"),
    ("SELECT id FROM orders WHERE tenant_id = $1 UNION SELECT order_id FROM lines", "lines"),
    ("INSERT INTO orders (tenant_id, total) VALUES ($1, (SELECT MAX(total) FROM orders))", "orders"),
    ("INSERT INTO orders (tenant_id, id) VALUES ($2, $1)", "orders"),
    ("INSERT INTO orders (tenant_id, id) VALUES ($1, $2), ($3, $4)", "orders"),
    ("INSERT INTO lines (tenant_id, order_id) SELECT tenant_id, id FROM orders", "orders"),
    ("INSERT INTO orders (tenant_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = ''", "orders"),
    ("UPDATE orders SET note = $2 WHERE id = $1", "orders"),
    ("UPDATE orders SET tenant_id = $2 WHERE tenant_id = $1", "another tenant"),
    ("DELETE FROM orders WHERE id = $1", "orders"),
    ("DROP TABLE orders", "neither"),
    ("SELEC id FROM orders", "cannot be read"),
];

fn tables() -> BTreeSet<String> {
    ["orders", "lines"].map(str::to_owned).into()
}

#[test]
fn a_statement_that_binds_every_table_is_let_through() {
    for text in GOOD {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            assert_eq!(faults(text, dialect, &tables()), [""; 0], "{dialect:?}: {text}");
        }
    }
}

#[test]
fn a_statement_that_leaves_a_table_open_is_named_with_it() {
    for (text, told) in BAD {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let found = faults(text, dialect, &tables());
            assert!(found.iter().any(|fault| fault.contains(told)), "{dialect:?}: {text}: {found:?}");
        }
    }
}

weft_store::statements! {
    /// As a domain's author might forget it; the store's own table serves for one of a domain.
    COUNT_EVENTS = "SELECT count(*) FROM weft_outbox WHERE topic <> CAST($1 AS TEXT)";
    COUNT_OWN_EVENTS = "SELECT count(*) FROM weft_outbox WHERE tenant_id = $1";
    system COUNT_ALL_EVENTS = "SELECT count(*) FROM weft_outbox";
    DELETE_OWN_EVENTS = "DELETE FROM weft_outbox WHERE tenant_id = $1";
}

/// A store tells of what it runs; what a statement of tenants leaves open is found once it ran, and not before.
async fn is_seen(mut settings: Settings) {
    let tenancy = Arc::new(Tenancy::default());
    settings.watch = Some(tenancy.clone());
    let databases = Databases::open(&settings).await.unwrap();
    let schema = DomainSchema::new("watched").statements(STATEMENTS);
    databases.migrate(&schema).await.unwrap();
    let store = databases.store(&schema).await.unwrap();
    let call = |scope| {
        let mut parts = CallBuilder::new(Clock::system());
        parts.scope = scope;
        parts.build()
    };
    let (own, system) = (call(Scope::Tenant(TenantId(Uuid::now_v7()))), call(Scope::System("a test")));
    let count = async |read: Read| Ok(read.run(&COUNT_OWN_EVENTS).fetch_value::<i64>().await?);
    store.read(&own, count).await.unwrap();
    store.read(&system, async |read: Read| Ok(read.run(&COUNT_ALL_EVENTS).fetch_value::<i64>().await?)).await.unwrap();
    store.transact(&own, async |tx: Tx| Ok(tx.run(&DELETE_OWN_EVENTS).execute().await?)).await.unwrap();
    assert_eq!((tenancy.faults(), tenancy.checked()), (Vec::new(), 2));
    tenancy.demand();

    store.read(&own, async |read: Read| Ok(read.run(&COUNT_EVENTS).fetch_value::<i64>().await?)).await.unwrap();
    let faults = tenancy.faults();
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert_eq!(fault.to_string(), "COUNT_EVENTS of watched: it leaves weft_outbox open to all tenants");
    let demanded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tenancy.demand()));
    assert!(demanded.is_err(), "a test with it fails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_runs_on_sqlite_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    is_seen(Settings::sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_runs_on_postgres_is_seen() {
    let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
    is_seen(Settings::postgres(String::from(url).into())).await;
}
