//! Redis is killed, hangs, or forgets: slower, never wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use redis::AsyncCommands;
use secrecy::SecretString;
use tokio::{
    sync::Barrier,
    time::{sleep, timeout},
};
use weft_cache::{CacheError, CounterKey, CounterScope, Rate, Redis, Taken};
use weft_test_redis::Server;

use crate::given::{Given, LIMIT, has, not_asked, redis_at};

/// Waits until a Redis that was started again is being used again.
async fn is_back(given: &Given) {
    let end = Instant::now() + LIMIT;
    while given.sessions().get(given.tenant, "nobody").await.is_err() {
        assert!(Instant::now() < end, "Redis is not used again");
        sleep(Duration::from_millis(20)).await;
    }
}

fn is_unavailable<T>(answer: Result<T, CacheError>) -> bool {
    answer.is_err_and(|error| error.is_unavailable())
}

async fn raw(server: &Server) -> redis::aio::MultiplexedConnection {
    redis::Client::open(server.address()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn a_cache_without_its_redis_asks_the_source_and_says_what_it_could_not_invalidate() {
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    server.stop();
    for value in ["2", "3"] {
        assert_eq!(*cache.get(given.tenant, "a", || has(value)).await.unwrap().unwrap(), value);
    }
    assert!(is_unavailable(cache.invalidate(given.tenant, "a").await));
    server.restart().unwrap();
    is_back(&given).await;
    assert_eq!(*cache.get(given.tenant, "a", || has("4")).await.unwrap().unwrap(), "4");
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_is_asked_once_for_all_callers_of_a_process_while_redis_is_lost() {
    const CALLERS: usize = 64;
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let (cache, loads, looked) =
        (Arc::new(given.cache::<String>()), Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(CALLERS)));
    cache.get(given.tenant, "other", || has("1")).await.unwrap();
    server.stop();
    // Whoever meets the outage first pays for it; the others know.
    cache.get(given.tenant, "other", || has("1")).await.unwrap();
    let callers = (0..CALLERS).map(|_| {
        let (cache, loads, looked, tenant) = (Arc::clone(&cache), Arc::clone(&loads), Arc::clone(&looked), given.tenant);
        tokio::spawn(async move {
            looked.wait().await;
            let load = || async {
                loads.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                has("2").await
            };
            cache.get(tenant, "a", load).await.unwrap().unwrap()
        })
    });
    for value in join_all(callers).await {
        assert_eq!(*value.unwrap(), "2");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_load_that_began_during_an_outage_is_not_shared_after_an_invalidation() {
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    server.stop();
    let loading = Barrier::new(2);
    let old = cache.get(given.tenant, "a", || async {
        loading.wait().await;
        loading.wait().await;
        has("old").await
    });
    let change = async {
        loading.wait().await;
        assert!(is_unavailable(cache.invalidate(given.tenant, "a").await));
        let seen = timeout(LIMIT, cache.get(given.tenant, "a", || has("new"))).await.expect("it waits for the earlier load");
        let seen = seen.unwrap().unwrap();
        loading.wait().await;
        seen
    };
    let (old, seen) = tokio::join!(old, change);
    assert_eq!((old.unwrap().unwrap().as_str(), seen.as_str()), ("old", "new"));
}

#[tokio::test]
async fn a_load_that_spans_a_restart_is_not_written_back() {
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    let old = cache.get(given.tenant, "a", || async {
        // The value is read; then it changes, is invalidated, and Redis forgets all about it.
        given.cache::<String>().invalidate(given.tenant, "a").await.unwrap();
        server.restart().unwrap();
        is_back(&given).await;
        has("old").await
    });
    assert_eq!(*old.await.unwrap().unwrap(), "old");
    assert_eq!(*cache.get(given.tenant, "a", || has("new")).await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn a_failed_invalidation_holds_once_it_is_repeated() {
    let mut server = Server::durable().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    cache.get(given.tenant, "a", || has("old")).await.unwrap();
    server.stop();
    assert!(is_unavailable(cache.invalidate(given.tenant, "a").await));
    server.restart().unwrap();
    is_back(&given).await;
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "old", "this Redis remembers");
    cache.invalidate(given.tenant, "a").await.unwrap();
    assert_eq!(*cache.get(given.tenant, "a", || has("new")).await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn nobody_gets_a_session_while_redis_is_lost_and_no_revoked_one_after() {
    let mut server = Server::durable().unwrap();
    let given = redis_at(&server.address());
    let sessions = given.sessions();
    for session in ["revoked before", "revoked meanwhile", "good"] {
        assert!(sessions.insert(given.tenant, session, &"ada".to_owned(), Duration::from_mins(5)).await.unwrap());
    }
    assert!(sessions.remove(given.tenant, "revoked before").await.unwrap());
    server.stop();
    for session in ["revoked before", "revoked meanwhile", "good"] {
        assert!(is_unavailable(sessions.get(given.tenant, session).await), "{session}");
    }
    assert!(is_unavailable(sessions.remove(given.tenant, "revoked meanwhile").await), "the caller knows that it is not revoked");
    server.restart().unwrap();
    is_back(&given).await;
    assert_eq!(sessions.get(given.tenant, "revoked before").await.unwrap(), None);
    assert!(sessions.remove(given.tenant, "revoked meanwhile").await.unwrap());
    assert_eq!(sessions.get(given.tenant, "revoked meanwhile").await.unwrap(), None);
    assert!(sessions.get(given.tenant, "good").await.unwrap().is_some());
}

#[tokio::test]
async fn a_redis_that_forgets_grants_no_session() {
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    given.sessions().insert(given.tenant, "s", &"ada".to_owned(), Duration::from_mins(5)).await.unwrap();
    server.restart().unwrap();
    is_back(&given).await;
    assert_eq!(given.sessions().get(given.tenant, "s").await.unwrap(), None);
}

#[tokio::test]
async fn a_counter_without_its_redis_leaves_the_decision_to_its_caller() {
    let mut server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let (key, rate) = (CounterKey::new("test.logins", CounterScope::Mesh, "ada"), Rate::new(1, Duration::from_hours(1), 1));
    let (key, rate) = (key.unwrap(), rate.unwrap());
    assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Yes { .. }));
    server.stop();
    assert!(is_unavailable(given.counters.take(&key, rate).await));
}

#[tokio::test]
async fn a_redis_that_hangs_delays_few_calls() {
    let server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    let () = redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("ALL").query_async(&mut raw(&server).await).await.unwrap();
    let start = Instant::now();
    assert_eq!(*cache.get(given.tenant, "a", || has("2")).await.unwrap().unwrap(), "2");
    assert!((Duration::from_millis(400)..LIMIT).contains(&start.elapsed()), "{:?}", start.elapsed());
    let mut left_alone = 0;
    for _ in 0..20 {
        let error = given.sessions().get(given.tenant, "s").await.unwrap_err();
        left_alone += usize::from(matches!(error, CacheError::LeftAlone));
    }
    assert!(left_alone >= 10, "{left_alone} of 20: the others waited");
}

#[tokio::test]
async fn nothing_is_kept_forever() {
    let server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    cache.get(given.tenant, "held", || has("1")).await.unwrap();
    cache.get(given.tenant, "absent", || async { Ok::<_, ()>(None) }).await.unwrap();
    cache.get(given.tenant, "failed", || async { Err(()) }).await.unwrap_err();
    given.sessions().insert(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap();
    given.sessions().replace(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap();
    let key = CounterKey::new("test.logins", CounterScope::Mesh, "ada").unwrap();
    given.counters.take(&key, Rate::new(1, Duration::from_hours(1), 1).unwrap()).await.unwrap();
    let mut raw = raw(&server).await;
    let keys: Vec<String> = raw.keys("*").await.unwrap();
    assert_eq!(keys.len(), 5);
    for key in keys {
        let left: i64 = raw.pttl(&key).await.unwrap();
        assert!(left > 0, "{key} stays");
    }
}

#[tokio::test]
async fn what_somebody_else_wrote_under_a_key_is_removed() {
    let server = Server::start().unwrap();
    let given = redis_at(&server.address());
    let cache = given.cache::<String>();
    let key = format!("weft/cache/test.things/{}/\"a\"", given.tenant);
    let () = raw(&server).await.set(key, "hello").await.unwrap();
    assert_eq!(*cache.get(given.tenant, "a", || has("1")).await.unwrap().unwrap(), "1");
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_and_its_password_not_repeated() {
    for address in ["redis://:hush@host:port", "http://:hush@host", "hush"] {
        let error = Redis::new(&SecretString::from(address)).unwrap_err();
        assert!(matches!(error, CacheError::Address));
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
    let redis = Redis::new(&SecretString::from("redis://:hush@127.0.0.1:1")).unwrap();
    assert!(!format!("{redis:?}").contains("hush"));
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_at_a_rediss_address() {
    let server = Server::start().unwrap();
    let given = redis_at(&server.address().replace("redis://", "rediss://"));
    assert!(is_unavailable(given.sessions().get(given.tenant, "s").await));
}

#[tokio::test]
async fn a_wrong_password_is_an_outage_and_is_not_repeated() {
    let server = Server::start().unwrap();
    let () = redis::cmd("CONFIG").arg(&["SET", "requirepass", "right"]).query_async(&mut raw(&server).await).await.unwrap();
    let given = redis_at(&server.address().replace("redis://", "redis://:hush@"));
    let error = given.sessions().get(given.tenant, "s").await.unwrap_err();
    assert!(error.is_unavailable());
    assert!(!format!("{error} {error:?}").contains("hush"));
    let given = redis_at(&server.address().replace("redis://", "redis://:right@"));
    assert_eq!(given.sessions().get(given.tenant, "s").await.unwrap(), None);
}
