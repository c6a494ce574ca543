//! Rows and values are the same on both databases.

use weft_store::{Json, StoreError, Tx};

use crate::support::{GET_THING, INSERT_NOTE, LIST_NAMES, Thing, call, insert, on_both, tenant, thing};

on_both! {
    async fn a_row_reads_back_as_it_was_written(bench) {
        let (tenant, mut written) = (tenant(), thing("a"));
        written.quantity = i64::MAX;
        written.gone_at = Some(written.seen_at + chrono::TimeDelta::microseconds(1));
        bench.store.write(&call(tenant), async |tx: &mut Tx| insert(tx, &written).await).await.unwrap();
        let read: Result<Option<Thing>, StoreError> = bench
            .store
            .read(&call(tenant), async |read| read.run(&GET_THING).bind(written.id).fetch_optional().await)
            .await;
        assert_eq!(read.unwrap(), Some(written));
    }

    async fn constraints_are_told_apart(bench) {
        let (tenant, first) = (tenant(), thing("a"));
        bench.store.write(&call(tenant), async |tx: &mut Tx| insert(tx, &first).await).await.unwrap();
        let mut same_name = thing("a");
        let twice = bench.store.write(&call(tenant), async |tx: &mut Tx| insert(tx, &same_name).await).await.unwrap_err();
        assert!(twice.is_unique_violation(), "{twice:?}");
        same_name.name = "b".to_owned();
        same_name.quantity = -1;
        let negative = bench.store.write(&call(tenant), async |tx: &mut Tx| insert(tx, &same_name).await).await.unwrap_err();
        assert_eq!(negative.constraint(), Some(weft_store::Constraint::Check));
        let note = async |tx: &mut Tx| {
            tx.run(&INSERT_NOTE).bind(same_name.id).bind(same_name.id).execute().await.map(|_| ())
        };
        assert!(bench.store.write(&call(tenant), note).await.unwrap_err().is_foreign_key_violation());
    }

    async fn a_value_of_another_type_is_an_error_that_names_the_statement(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let wrong: Result<i64, StoreError> =
            bench.store.read(&call(tenant), async |read| read.run(&LIST_NAMES).fetch_value().await).await;
        assert!(matches!(wrong, Err(StoreError::Type { statement: "LIST_NAMES", .. })), "{wrong:?}");
        let wrong: Result<Vec<(Json<u8>,)>, StoreError> =
            bench.store.read(&call(tenant), async |read| read.run(&LIST_NAMES).fetch_all().await).await;
        assert!(matches!(wrong, Err(StoreError::Type { .. })), "{wrong:?}");
    }

    async fn a_row_that_must_be_there_and_is_not_is_an_error(bench) {
        let none: Result<String, StoreError> =
            bench.store.read(&call(tenant()), async |read| read.run(&LIST_NAMES).fetch_value().await).await;
        assert!(matches!(none, Err(StoreError::NoRow { statement: "LIST_NAMES" })), "{none:?}");
    }
}
