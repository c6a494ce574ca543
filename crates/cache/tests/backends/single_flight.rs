//! Many callers, one load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{sync::Barrier, time::sleep};

use crate::given::{Given, has, on_every_backend_at_once};

on_every_backend_at_once! {
    callers_at_once_load_once
    loads_that_fail_run_one_at_a_time
    a_cancelled_load_is_taken_over
}

const CALLERS: usize = 64;

async fn callers_at_once_load_once(given: Given) {
    let (cache, loads, start) = (Arc::new(given.cache::<String>()), AtomicUsize::new(0).into(), Barrier::new(CALLERS).into());
    let callers = (0..CALLERS).map(|_| {
        let (cache, loads, start): (_, Arc<AtomicUsize>, Arc<Barrier>) =
            (Arc::clone(&cache), Arc::clone(&loads), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            let load = || async {
                loads.fetch_add(1, Ordering::Relaxed);
                // What a database takes; without it there would be few at once.
                sleep(Duration::from_millis(20)).await;
                has("1").await
            };
            cache.get(given.tenant, "a", load).await.unwrap().unwrap()
        })
    });
    for value in join_all(callers).await {
        assert_eq!(*value.unwrap(), "1");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

async fn loads_that_fail_run_one_at_a_time(given: Given) {
    let (cache, loads, running) = (given.cache::<String>(), AtomicUsize::new(0), AtomicUsize::new(0));
    let callers = (0..8).map(|_| {
        cache.get(given.tenant, "a", || async {
            assert_eq!(running.fetch_add(1, Ordering::Relaxed), 0);
            loads.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            Err::<Option<String>, _>("down")
        })
    });
    assert!(join_all(callers).await.iter().all(|answer| *answer == Err("down")));
    assert_eq!(loads.load(Ordering::Relaxed), 8, "each by its own rights and deadline");
}

async fn a_cancelled_load_is_taken_over(given: Given) {
    let cache = given.cache::<String>();
    let loading = Barrier::new(2);
    let stuck = cache.get(given.tenant, "a", || async {
        loading.wait().await;
        std::future::pending::<Result<Option<String>, &str>>().await
    });
    let next = async {
        loading.wait().await;
        cache.get(given.tenant, "a", || has("1")).await.unwrap().unwrap()
    };
    let cancelled = async { tokio::time::timeout(Duration::from_millis(100), stuck).await.is_err() };
    let (value, cancelled) = tokio::join!(next, cancelled);
    assert!(cancelled);
    assert_eq!(*value, "1");
}
