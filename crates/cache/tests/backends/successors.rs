//! A primary fails, and another server takes its place.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use weft_cache::{CounterKey, CounterScope, Rate};
use weft_test_redis::{Cluster, Watched};

use crate::given::{Given, LIMIT, a_tenant, has, redis_at};

/// How many keys are written: some of them lie on every server of a cluster.
const KEYS: usize = 30;

/// Waits until every key can be written again, however long nobody is the primary.
async fn are_written(given: &Given) {
    let end = Instant::now() + 2 * LIMIT;
    for key in (0..KEYS).map(|key| format!("key {key}")) {
        while given.sessions().insert(a_tenant(), &key, &"ada".to_owned(), LIMIT).await.is_err() {
            assert!(Instant::now() < end, "nobody has taken the place of the primary");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The cache is slower at most, whoever is the primary.
async fn is_answered(given: &Given) {
    let cache = given.cache::<String>();
    for key in (0..KEYS).map(|key| format!("key {key}")) {
        assert_eq!(*cache.get(given.tenant, &key, || has("1")).await.unwrap().unwrap(), "1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_that_sentinels_name_is_followed() {
    let mut servers = Watched::start().unwrap();
    let given = redis_at(&servers.address());
    are_written(&given).await;
    is_answered(&given).await;
    servers.stop_primary();
    is_answered(&given).await;
    are_written(&given).await;
    // What was the primary is a replica now, and what is written goes to the other.
    servers.restart_primary().unwrap();
    are_written(&given).await;
    is_answered(&given).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_ask_for_a_login_of_their_own_are_given_it() {
    let servers = Watched::start().unwrap();
    servers.guard("weft", "hush").unwrap();
    let given = redis_at(&format!("{}?sentinel_user=weft&sentinel_password=hush", servers.address()));
    are_written(&given).await;
    is_answered(&given).await;
    for wrong in ["", "?sentinel_user=weft&sentinel_password=loud"] {
        let given = redis_at(&format!("{}{wrong}", servers.address()));
        given.sessions().insert(a_tenant(), "key", &"ada".to_owned(), LIMIT).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_a_cluster_is_followed_by_its_replica() {
    let mut servers = Cluster::start().unwrap();
    let given = redis_at(&servers.address());
    are_written(&given).await;
    is_answered(&given).await;
    servers.stop_first();
    is_answered(&given).await;
    are_written(&given).await;
    let key = CounterKey::new("test.calls", CounterScope::Tenant(given.tenant), "a").unwrap();
    let rate = Rate::new(1, Duration::from_mins(1), 1).unwrap();
    given.counters.take(&key, rate).await.unwrap();
}
