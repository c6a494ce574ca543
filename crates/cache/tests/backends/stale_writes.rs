//! A change of the source against loads that are under way.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::oneshot, time::timeout};

use crate::given::{Given, LIMIT, has, not_asked, on_every_backend_at_once};

on_every_backend_at_once! {
    a_load_that_was_overtaken_is_not_written_back
    a_load_that_was_overtaken_does_not_replace_what_is_newer
    who_asks_after_a_change_does_not_take_the_value_of_an_earlier_load
    nobody_sees_what_was_invalidated_before_they_asked
}

/// A load that has read the old value and is then delayed until told to go on.
struct Delayed {
    go_on: oneshot::Sender<()>,
    answer: tokio::task::JoinHandle<Option<Arc<String>>>,
}

impl Delayed {
    async fn in_cache(given: &Given, cache: &Arc<weft_cache::Cache<str, String>>) -> Self {
        let (cache, tenant) = (Arc::clone(cache), given.tenant);
        let ((go_on, told), (read, has_read)) = (oneshot::channel(), oneshot::channel());
        let load = || async {
            read.send(()).unwrap();
            told.await.unwrap();
            has("old").await
        };
        let answer = tokio::spawn(async move { cache.get(tenant, "a", load).await.unwrap() });
        has_read.await.unwrap();
        Self { go_on, answer }
    }

    async fn ends(self) {
        self.go_on.send(()).unwrap();
        assert_eq!(*self.answer.await.unwrap().unwrap(), "old");
    }
}

async fn a_load_that_was_overtaken_is_not_written_back(given: Given) {
    let (cache, elsewhere) = (given.cache::<String>().into(), given.cache::<String>());
    let delayed = Delayed::in_cache(&given, &cache).await;
    elsewhere.invalidate(given.tenant, "a").await.unwrap();
    delayed.ends().await;
    assert_eq!(*cache.get(given.tenant, "a", || has("new")).await.unwrap().unwrap(), "new");
}

async fn a_load_that_was_overtaken_does_not_replace_what_is_newer(given: Given) {
    let (cache, elsewhere) = (given.cache::<String>().into(), given.cache::<String>());
    let delayed = Delayed::in_cache(&given, &cache).await;
    elsewhere.invalidate(given.tenant, "a").await.unwrap();
    elsewhere.get(given.tenant, "a", || has("new")).await.unwrap();
    delayed.ends().await;
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "new");
}

async fn who_asks_after_a_change_does_not_take_the_value_of_an_earlier_load(given: Given) {
    let (cache, elsewhere) = (given.cache::<String>().into(), given.cache::<String>());
    let delayed = Delayed::in_cache(&given, &cache).await;
    elsewhere.invalidate(given.tenant, "a").await.unwrap();
    let seen = timeout(LIMIT, cache.get(given.tenant, "a", || has("new"))).await.expect("it waits for the earlier load");
    assert_eq!(*seen.unwrap().unwrap(), "new");
    delayed.ends().await;
}

/// Three processes read while a fourth writes: whatever they read is at least what had been written
/// and invalidated before they asked. It goes on until enough loads have raced the changes.
async fn nobody_sees_what_was_invalidated_before_they_asked(given: Given) {
    const LOADS: u64 = 300;
    let (source, settled, loads) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (source, settled, loads) = (Arc::clone(&source), Arc::clone(&settled), Arc::clone(&loads));
            let (cache, tenant) = (given.cache::<u64>(), given.tenant);
            tokio::spawn(async move {
                while loads.load(Ordering::SeqCst) < LOADS {
                    let floor = settled.load(Ordering::SeqCst);
                    let load = || async {
                        loads.fetch_add(1, Ordering::SeqCst);
                        let read = source.load(Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        Ok::<_, Infallible>(Some(read))
                    };
                    let seen = *cache.get(tenant, "a", load).await.unwrap().unwrap();
                    assert!(seen >= floor, "saw {seen} after {floor} had been invalidated");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let writer = given.cache::<u64>();
    let mut change = 0;
    while !readers.iter().all(tokio::task::JoinHandle::is_finished) {
        change += 1;
        source.store(change, Ordering::SeqCst);
        writer.invalidate(given.tenant, "a").await.unwrap();
        settled.store(change, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
