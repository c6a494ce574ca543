//! What operators are told of a database.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Barrier;
use weft_call::{Error, MeshReason, Result};
use weft_store::Read;
use weft_telemetry::Metrics;

use crate::support::{Backend, COUNT_THINGS, LIST_NAMES, call, insert, on_both, schema, tenant, thing};

/// The value of a line of the metrics.
fn told(metrics: &Metrics, line: &str) -> Option<f64> {
    metrics.render().lines().find_map(|told| told.strip_prefix(line)?.trim().parse().ok())
}

on_both! {
    async fn work_on_records_and_connections_are_counted(bench) {
        let metrics = Metrics::new();
        let databases = bench.databases.clone().measured_by(&metrics);
        let store = databases.store(&schema()).await.unwrap();
        let tenant = tenant();
        for name in ["a", "b"] {
            store.write(&call(tenant), async |tx| Ok(insert(&tx, &thing(name)).await?)).await.unwrap();
        }
        // Work that failed was work as well.
        let refused: Result<()> = store.write(&call(tenant), async |_| Err(Error::new(MeshReason::Overloaded, ""))).await;
        refused.unwrap_err();
        let names = async |read: Read| Ok(read.run(&LIST_NAMES).fetch_values::<String>().await?);
        assert_eq!(store.read(&call(tenant), names).await.unwrap().len(), 2);
        let done = |work| format!(r#"weft_transaction_duration_seconds_count{{domain="things",work="{work}"}}"#);
        assert_eq!(told(&metrics, &done("write")), Some(3.0), "{}", metrics.render());
        assert_eq!(told(&metrics, &done("read")), Some(1.0));
        let connections = |state| told(&metrics, &format!(r#"weft_database_connections{{state="{state}"}}"#)).unwrap();
        assert!(connections("idle") + connections("in_use") >= 1.0);
        let limit = if bench.backend == Backend::Postgres { 8.0 } else { 0.0 };
        assert_eq!(told(&metrics, "weft_database_connections_limit"), Some(limit));
    }

    async fn a_transaction_that_ran_again_is_counted(bench) {
        let metrics = Metrics::new();
        let store = bench.databases.clone().measured_by(&metrics).store(&schema()).await.unwrap();
        let tenant = tenant();
        store.write(&call(tenant), async |tx| Ok(insert(&tx, &thing("a")).await?)).await.unwrap();
        let both = Barrier::new(2);
        let first = AtomicU32::new(0);
        // Each has seen the count before the other adds: one of them must run again, where writers run at once.
        let add = async |name: &str| {
            store
                .write(&call(tenant), async |tx| {
                    let _: i64 = tx.run(&COUNT_THINGS).fetch_value().await?;
                    if first.fetch_add(1, Ordering::Relaxed) < 2 && bench.backend == Backend::Postgres {
                        both.wait().await;
                    }
                    Ok(insert(&tx, &thing(name)).await?)
                })
                .await
        };
        let (one, other) = tokio::join!(add("b"), add("c"));
        one.and(other).unwrap();
        let again = told(&metrics, r#"weft_transactions_repeated_total{domain="things",why="conflict"}"#);
        assert_eq!(again.is_some_and(|times| times >= 1.0), bench.backend == Backend::Postgres, "{again:?}");
    }
}
