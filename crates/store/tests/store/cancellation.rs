//! A future that is dropped, or a server that restarts, leaves nothing half-done and no connection
//! spoilt.

use std::sync::Arc;

use tokio::sync::Barrier;
use weft_store::{Read, Tx};

use crate::support::{Backend, Bench, COUNT_ALL_THINGS, call, dropped_after, execute, insert, keyed, system, tenant, thing};

/// With one connection, so that whatever is left behind on it is met by the next transaction.
async fn dropped_anywhere(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.max_connections = 1).await;
    let (mut finished, mut dropped) = (0, 0);
    // A write takes some twenty polls on PostgreSQL, and fewer the quicker SQLite's thread is.
    for (round, polls) in (1..=24).chain(1..=8).chain([1, 2, 1000, 1000, 1000]).enumerate() {
        let (own, key) = (tenant(), format!("key-{round}"));
        let pair = async |tx: Tx| {
            insert(&tx, &thing("a")).await?;
            insert(&tx, &thing("b")).await?;
            Ok("both".to_owned())
        };
        let write = async { bench.store.write(&keyed(own, &key, "request"), pair).await };
        let answered = dropped_after(polls, write).await.is_some();
        *(if answered { &mut finished } else { &mut dropped }) += 1;

        // Another tenant sees its own, a system scope all: nothing of role or tenant stayed behind.
        assert_eq!(bench.names(tenant()).await, [""; 0], "after {polls} polls");
        let all = async |read: Read| Ok(read.run(&COUNT_ALL_THINGS).fetch_value::<i64>().await?);
        assert_eq!(bench.store.read(&system(), all).await.unwrap() % 2, 0, "after {polls} polls");
        let names = bench.names(own).await;
        assert!(names.is_empty() && !answered || names == ["a", "b"], "after {polls} polls: {names:?}");
        // Whether it was kept or not, the repeat ends in the same state.
        bench.store.write(&keyed(own, &key, "request"), pair).await.unwrap();
        assert_eq!(bench.names(own).await, ["a", "b"]);
    }
    assert!(finished >= 3 && dropped >= 3, "{finished} finished, {dropped} dropped: the polls do not cover a write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_dropped_anywhere_is_made_whole_or_not_at_all_on_sqlite() {
    dropped_anywhere(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_dropped_anywhere_is_made_whole_or_not_at_all_on_postgres() {
    dropped_anywhere(Backend::Postgres).await;
}

async fn dropped_reads(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.max_connections = 1).await;
    let (one, other) = (tenant(), tenant());
    bench.add(one, "a").await;
    bench.add(other, "b").await;
    for polls in 1..20 {
        drop(dropped_after(polls, bench.names(one)).await);
        assert_eq!(bench.names(other).await, ["b"], "after {polls} polls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_read_leaves_its_connection_clean_on_sqlite() {
    dropped_reads(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_read_leaves_its_connection_clean_on_postgres() {
    dropped_reads(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_closed_are_replaced_without_an_error_on_postgres() {
    let bench = Bench::with(Backend::Postgres, |settings| settings.max_connections = 4).await;
    let (tenant, all_open) = (tenant(), Arc::new(Barrier::new(4)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, all_open) = (bench.store.clone(), Arc::clone(&all_open));
            tokio::spawn(async move {
                let all_open = &*all_open;
                let waits = async |_: Read| {
                    all_open.wait().await;
                    Ok(())
                };
                store.read(&call(tenant), waits).await
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap().unwrap();
    }
    let close = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(bench.admin.as_ref().unwrap(), close).await;
    bench.add(tenant, "a").await;
    assert_eq!(bench.names(tenant).await, ["a"]);
}
