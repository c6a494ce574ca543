//! PgBouncer in transaction mode: each transaction may run in another session of the server.

use secrecy::ExposeSecret;
use url::Url;
use weft_call::TenantId;
use weft_store::{Databases, Pooler, Read, StoreError, Tx};
use weft_test_postgres::TransactionPooler;

use crate::support::{
    Backend, Bench, COUNT_ALL_THINGS, COUNT_FORGETFUL, Empty, SET_QUANTITY, call, empty, insert, schema, secret, system, tenant,
    thing,
};

/// A bench whose service reaches the server through a pooler with so many sessions.
async fn pooled(sessions: u32) -> (Bench, TransactionPooler) {
    let Empty { mut settings, admin, folder } = empty(Backend::Postgres).await;
    let url = Url::parse(settings.url.as_ref().unwrap().expose_secret()).unwrap();
    let pooler = TransactionPooler::start(&url, sessions).unwrap_or_else(|error| panic!("{error}"));
    (settings.url, settings.pooler) = (Some(secret(pooler.url())), Pooler::Transaction);
    let databases = Databases::open(&settings).await.unwrap();
    databases.migrate(&schema()).await.unwrap();
    let store = databases.store(&schema()).await.unwrap();
    (Bench { backend: Backend::Postgres, settings, databases, store, admin, folder }, pooler)
}

/// Adds a tenant's things and looks after each at what it sees of all.
async fn add_and_look(bench: &Bench, tenant: TenantId, things: i64) {
    for number in 1..=things {
        let name = format!("thing {number}");
        bench.store.write(&call(tenant), async |tx: Tx| Ok(insert(&tx, &thing(&name)).await?)).await.unwrap();
        // Only the session's own tenant stands between this statement and everybody's rows.
        let count = async |read: Read| Ok(read.run(&COUNT_FORGETFUL).fetch_value::<i64>().await?);
        assert_eq!(bench.store.read(&call(tenant), count).await.unwrap(), number, "as many as the tenant has added itself");
        assert_eq!(bench.names(tenant).await.len(), usize::try_from(number).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_in_one_session_see_nothing_of_each_other() {
    let (bench, _pooler) = pooled(1).await;
    let (one, other) = (tenant(), tenant());
    tokio::join!(
        add_and_look(&bench, one, 30),
        add_and_look(&bench, other, 40),
        add_and_look(&bench, tenant(), 20),
        add_and_look(&bench, tenant(), 10)
    );
    let all = async |read: Read| Ok(read.run(&COUNT_ALL_THINGS).fetch_value::<i64>().await?);
    assert_eq!(bench.store.read(&system(), all).await.unwrap(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_may_run_in_any_session_and_leaves_it_clean() {
    let (bench, _pooler) = pooled(3).await;
    let tenants = [tenant(), tenant(), tenant(), tenant(), tenant(), tenant()];
    futures_util::future::join_all(tenants.map(|tenant| add_and_look(&bench, tenant, 10))).await;
    // What fails half-way leaves nothing behind either.
    let tenant = tenants[0];
    let failing = async |tx: Tx| {
        tx.run(&SET_QUANTITY).bind("thing 2").bind(0_i64).execute().await?;
        insert(&tx, &thing("thing 1")).await.map_err(weft_call::Error::from)
    };
    for _ in 0..10 {
        assert!(bench.store.transact(&call(tenant), failing).await.is_err());
        assert_eq!(bench.names(tenant).await.len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlives_a_transaction_is_refused_with_a_sentence() {
    let (bench, _pooler) = pooled(1).await;
    let mut settings = bench.settings.clone();
    settings.migration_url = None;
    let databases = Databases::open(&settings).await.unwrap();
    let refused = databases.migrate(&schema()).await.unwrap_err();
    assert!(matches!(refused, StoreError::MigrationsThroughPooler { .. }), "{refused:?}");
    assert!(refused.to_string().contains("set database.migration_url"), "{refused}");

    // Nobody said that there is a pooler: it refuses what a session would have to keep.
    settings.pooler = Pooler::None;
    let refused = Databases::open(&settings).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "{refused:?}");
    assert!(format!("{refused:?}").contains("unsupported startup parameter"), "{refused:?}");
}
