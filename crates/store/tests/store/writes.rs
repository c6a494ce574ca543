//! Writes are whole, serializable and run again on conflict.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::Barrier;
use weft_call::{Call, Deadline, Error, MeshReason, Result, Scope, TenantId, transaction};
use weft_store::{Read, Store, StoreError, Tx};

use crate::support::{
    Backend, Bench, COUNT_THINGS, GET_QUANTITY, LIST, LIST_NAMES, SET_QUANTITY, SLOW, call, call_with, cause, dropped_after,
    insert, on_both, tenant, thing,
};

/// As a generated trait has it.
trait Things: Send + Sync + 'static {
    fn take(&self, call: &Call, name: String) -> impl Future<Output = Result<i64>> + Send;
}

struct Handler {
    store: Store,
}

impl Things for Handler {
    async fn take(&self, call: &Call, name: String) -> Result<i64> {
        self.store.read(call, async |read| Ok(quantity(&read, &name).await?)).await?;
        self.store
            .write(call, async |tx| {
                let left = quantity(&tx, &name).await? - 1;
                if left < 0 {
                    return Err(too_little());
                }
                set_quantity(&tx, &name, left).await?;
                Ok(left)
            })
            .await
    }
}

/// As a domain's own error becomes the mesh's.
fn too_little() -> Error {
    Error::invalid_field("quantity", "there is too little")
}

async fn quantity(read: &Read, name: &str) -> Result<i64, StoreError> {
    read.run(&GET_QUANTITY).bind(name).fetch_value().await
}

async fn set_quantity(tx: &Tx, name: &str, quantity: i64) -> Result<(), StoreError> {
    tx.run(&SET_QUANTITY).bind(name).bind(quantity).execute().await.map(drop)
}

on_both! {
    async fn a_handler_that_reads_and_writes_can_be_spawned(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let handler = Arc::new(Handler { store: bench.store.clone() });
        let task = tokio::spawn({
            let handler = Arc::clone(&handler);
            async move { handler.take(&call(tenant), "a".to_owned()).await }
        });
        assert_eq!(task.await.unwrap().unwrap(), 9);
    }

    async fn concurrent_changes_of_one_row_are_all_made(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let handler = Arc::new(Handler { store: bench.store.clone() });
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let handler = Arc::clone(&handler);
                tokio::spawn(async move {
                    for _ in 0..2 {
                        handler.take(&call(tenant), "a".to_owned()).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(bench.quantity(tenant, "a").await, 2);
    }

    async fn an_error_of_the_closure_rolls_back_and_comes_out_as_it_is(bench) {
        let tenant = tenant();
        let failed: Result<()> = bench
            .store
            .write(&call(tenant), async |tx| {
                insert(&tx, &thing("a")).await?;
                Err(too_little())
            })
            .await;
        assert_eq!(failed.unwrap_err().reason(), Some(MeshReason::ValidationFailed));
        assert_eq!(bench.names(tenant).await, [""; 0]);
    }

    async fn nothing_is_kept_after_a_statement_that_failed_whatever_the_closure_returns(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let swallows = async |tx: Tx| {
            insert(&tx, &thing("b")).await?;
            assert!(insert(&tx, &thing("a")).await.unwrap_err().is_unique_violation());
            let count = tx.run(&COUNT_THINGS).fetch_value::<i64>().await;
            assert!(matches!(count, Err(StoreError::AlreadyFailed)));
            Ok(())
        };
        let swallowed = bench.store.write(&call(tenant), swallows).await.unwrap_err();
        assert!(matches!(cause(&swallowed), StoreError::AlreadyFailed), "{swallowed:?}");
        assert_eq!(bench.names(tenant).await, ["a"]);
    }

    async fn nothing_is_kept_after_a_statement_that_was_dropped_half_way(bench) {
        let tenant = tenant();
        let abandons = async |tx: Tx| {
            insert(&tx, &thing("a")).await?;
            assert!(dropped_after(1, tx.run(&SLOW).execute()).await.is_none());
            Ok(())
        };
        let abandoned = bench.store.write(&call(tenant), abandons).await.unwrap_err();
        assert!(matches!(cause(&abandoned), StoreError::AlreadyFailed), "{abandoned:?}");
        assert_eq!(bench.names(tenant).await, [""; 0]);
    }

    async fn a_transaction_that_was_put_aside_is_over_when_its_closure_ends(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let aside = Mutex::new(None);
        let put_aside = async |tx: Tx| {
            aside.lock().unwrap().replace(tx);
            Ok(())
        };
        bench.store.write(&call(tenant), put_aside).await.unwrap();
        let tx = aside.into_inner().unwrap().unwrap();
        assert!(matches!(set_quantity(&tx, "a", 0).await, Err(StoreError::TransactionOver)));
        let read = bench.store.read(&call(tenant), async |read| Ok(read)).await.unwrap();
        assert!(matches!(quantity(&read, "a").await, Err(StoreError::TransactionOver)));
        assert_eq!(bench.quantity(tenant, "a").await, 10);
    }

    async fn a_closure_can_neither_call_other_domains_nor_the_store_again(bench) {
        let (store, call) = (&bench.store, call(tenant()));
        let nests = async |_: Tx| {
            assert!(transaction::is_held());
            store.read(&call, async |_| Ok(())).await?;
            Ok(true)
        };
        let nested = store.write(&call, nests).await.unwrap_err();
        assert!(matches!(cause(&nested), StoreError::Nested), "{nested:?}");
        assert!(store.read(&call, async |_| Ok(transaction::is_held())).await.unwrap());
        assert!(!transaction::is_held());
    }

    async fn a_read_cannot_write(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let writes = async |read: Read| Ok(read.run(&SET_QUANTITY).bind("a").bind(0_i64).execute().await?);
        let written = bench.store.read(&call(tenant), writes).await.unwrap_err();
        assert!(matches!(cause(&written), StoreError::Statement { statement: "SET_QUANTITY", .. }), "{written:?}");
        assert_eq!(bench.quantity(tenant, "a").await, 10);
    }

    async fn a_read_sees_one_unchanging_view(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let sees = async |read: Read| {
            let before = quantity(&read, "a").await?;
            let store = bench.store.clone();
            // In a task of its own: this one may not use the store twice at a time.
            let write = async move { store.write(&call(tenant), async |tx| Ok(set_quantity(&tx, "a", 3).await?)).await };
            tokio::spawn(write).await.unwrap()?;
            Ok((before, quantity(&read, "a").await?))
        };
        assert_eq!(bench.store.read(&call(tenant), sees).await.unwrap(), (10, 10));
        assert_eq!(bench.quantity(tenant, "a").await, 3);
    }

    async fn a_method_that_is_declared_read_cannot_write(bench) {
        let call = call_with(|parts| {
            parts.scope = Scope::Tenant(tenant());
            parts.method = Some(&LIST);
        });
        let written = bench.store.write(&call, async |tx| Ok(insert(&tx, &thing("a")).await?)).await.unwrap_err();
        assert!(matches!(cause(&written), StoreError::ReadMethodWrites { .. }), "{written:?}");
        let list = async |read: Read| Ok(read.run(&LIST_NAMES).fetch_values::<String>().await?);
        assert_eq!(bench.store.read(&call, list).await.unwrap(), [""; 0]);
    }

    async fn a_call_whose_time_is_spent_begins_nothing(bench) {
        let call = call(tenant()).by(Deadline::after(Duration::ZERO));
        let written = bench.store.write(&call, async |tx| Ok(insert(&tx, &thing("a")).await?)).await;
        assert_eq!(written.unwrap_err().reason(), Some(MeshReason::DeadlineSpent));
    }

    async fn a_write_that_waits_for_a_connection_ends_with_the_calls_time(bench) {
        let tenant = tenant();
        // Every connection that there is.
        let (busy, release) = (Arc::new(Barrier::new(9)), Arc::new(tokio::sync::Semaphore::new(0)));
        let writers = if bench.backend == Backend::Postgres { 8 } else { 1 };
        let holders: Vec<_> = (0..8)
            .map(|index| {
                let (store, busy, release) = (bench.store.clone(), Arc::clone(&busy), Arc::clone(&release));
                tokio::spawn(async move {
                    if index >= writers {
                        busy.wait().await;
                        return;
                    }
                    let hold = async |_: Tx| {
                        busy.wait().await;
                        drop(release.acquire().await);
                        Ok(())
                    };
                    store.write(&call(tenant), hold).await.unwrap();
                })
            })
            .collect();
        busy.wait().await;
        let late = call(tenant).by(Deadline::after(Duration::from_millis(30)));
        let written = bench.store.write(&late, async |tx| Ok(insert(&tx, &thing("a")).await?)).await.unwrap_err();
        assert!(matches!(cause(&written), StoreError::DeadlineSpent), "{written:?}");
        release.add_permits(8);
        for holder in holders {
            holder.await.unwrap();
        }
        bench.add(tenant, "b").await;
        assert_eq!(bench.names(tenant).await, ["b"]);
    }

    async fn the_database_answers_a_ping(bench) {
        bench.store.ping().await.unwrap();
    }
}

/// Takes one from `from`, if both together leave one: correct alone, wrong if two see the same.
async fn take_one_of_two(tx: &Tx, from: &str, met: Option<&Barrier>) -> Result<bool, StoreError> {
    let together = quantity(tx, "a").await? + quantity(tx, "b").await?;
    if let Some(met) = met {
        met.wait().await;
    }
    if together < 2 {
        return Ok(false);
    }
    let left = quantity(tx, from).await? - 1;
    set_quantity(tx, from, left).await?;
    Ok(true)
}

async fn two_with_one_each(bench: &Bench, tenant: TenantId) {
    for name in ["a", "b"] {
        bench.add(tenant, name).await;
        bench.store.write(&call(tenant), async |tx| Ok(set_quantity(&tx, name, 1).await?)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_skew_is_found_and_one_of_the_two_runs_again_on_postgres() {
    let bench = Bench::new(Backend::Postgres).await;
    let tenant = tenant();
    two_with_one_each(&bench, tenant).await;
    let (met, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let tasks = ["a", "b"].map(|from| {
        let (store, met, runs) = (bench.store.clone(), Arc::clone(&met), Arc::clone(&runs));
        tokio::spawn(async move {
            let take = async |tx: Tx| {
                // The first two runs see the same records; what runs again runs alone.
                let met = (runs.fetch_add(1, Ordering::SeqCst) < 2).then_some(&*met);
                Ok(take_one_of_two(&tx, from, met).await?)
            };
            store.write(&call(tenant), take).await.unwrap()
        })
    });
    let mut took = 0;
    for task in tasks {
        took += u32::from(task.await.unwrap());
    }
    assert_eq!(took, 1);
    assert_eq!(bench.quantity(tenant, "a").await + bench.quantity(tenant, "b").await, 1);
    assert!(runs.load(Ordering::SeqCst) > 2, "one ran again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_skew_cannot_happen_on_sqlite() {
    let bench = Bench::new(Backend::Sqlite).await;
    let tenant = tenant();
    two_with_one_each(&bench, tenant).await;
    let tasks = ["a", "b"].map(|from| {
        let store = bench.store.clone();
        tokio::spawn(
            async move { store.write(&call(tenant), async |tx| Ok(take_one_of_two(&tx, from, None).await?)).await.unwrap() },
        )
    });
    let mut took = 0;
    for task in tasks {
        took += u32::from(task.await.unwrap());
    }
    assert_eq!(took, 1);
}

/// Writes that always come too late: another write changes the row between their read and their
/// write. `lose` says how often.
async fn losing_write(bench: &Bench, tenant: TenantId, lose: u32) -> (Result<()>, u32) {
    let runs = AtomicU32::new(0);
    let loses = async |tx: Tx| {
        let before = quantity(&tx, "a").await?;
        if runs.fetch_add(1, Ordering::SeqCst) < lose {
            let store = bench.store.clone();
            let other = async move { store.write(&call(tenant), async |tx| Ok(set_quantity(&tx, "a", before + 1).await?)).await };
            tokio::spawn(other).await.unwrap()?;
        }
        // The conflict is made something else of, and still is one.
        set_quantity(&tx, "a", before + 100).await.map_err(|_| too_little())
    };
    let outcome = bench.store.write(&call(tenant), loses).await;
    (outcome, runs.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_runs_the_closure_again_whatever_it_made_of_the_error() {
    let bench = Bench::new(Backend::Postgres).await;
    let tenant = tenant();
    bench.add(tenant, "a").await;
    let (outcome, runs) = losing_write(&bench, tenant, 2).await;
    outcome.unwrap();
    assert_eq!(runs, 3);
    assert_eq!(bench.quantity(tenant, "a").await, 112);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_keeps_losing_gives_up_and_has_written_nothing() {
    let bench = Bench::new(Backend::Postgres).await;
    let tenant = tenant();
    bench.add(tenant, "a").await;
    let (outcome, runs) = losing_write(&bench, tenant, u32::MAX).await;
    assert_eq!(outcome.unwrap_err().reason(), Some(MeshReason::StoreConflict));
    assert_eq!(bench.quantity(tenant, "a").await, 10 + i64::from(runs));
}

/// The file, as another process opens it. It waits for no lock.
async fn other_process(bench: &Bench) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(bench.folder.path().join("things.db")).busy_timeout(Duration::ZERO);
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_holds_the_file_from_its_beginning_on_sqlite() {
    let bench = Bench::new(Backend::Sqlite).await;
    let tries = async |_: Tx| Ok(sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other_process(&bench).await).await.is_err());
    assert!(bench.store.write(&call(tenant()), tries).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_that_holds_the_file_is_waited_for_on_sqlite() {
    let bench = Bench::new(Backend::Sqlite).await;
    let tenant = tenant();
    let mut other = other_process(&bench).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let write = tokio::spawn({
        let store = bench.store.clone();
        async move { store.write(&call(tenant), async |tx| Ok(insert(&tx, &thing("a")).await?)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!write.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    write.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_with_the_calls_time_on_postgres() {
    let bench = Bench::new(Backend::Postgres).await;
    let late = call(tenant()).by(Deadline::after(Duration::from_millis(100)));
    let sleeps = async |read: Read| Ok(read.run(&SLOW).execute().await?);
    let slept = bench.store.read(&late, sleeps).await.unwrap_err();
    assert!(matches!(cause(&slept), StoreError::StatementTimeout { statement: "SLOW" }), "{slept:?}");
}
