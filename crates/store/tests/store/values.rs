//! Rows and values are the same on both databases.

use weft_store::{Constraint, Json, Read, StoreError, Tx};

use crate::support::{GET_THING, INSERT_NOTE, LIST_NAMES, Thing, call, cause, insert, on_both, tenant, thing};

on_both! {
    async fn a_row_reads_back_as_it_was_written(bench) {
        let (tenant, mut written) = (tenant(), thing("a"));
        written.quantity = i64::MAX;
        written.gone_at = Some(written.seen_at + chrono::TimeDelta::microseconds(1));
        bench.store.write(&call(tenant), async |tx| Ok(insert(&tx, &written).await?)).await.unwrap();
        let get = async |read: Read| Ok(read.run(&GET_THING).bind(written.id).fetch_optional::<Thing>().await?);
        assert_eq!(bench.store.read(&call(tenant), get).await.unwrap(), Some(written));
    }

    async fn constraints_are_told_apart(bench) {
        let (tenant, first) = (tenant(), thing("a"));
        bench.store.write(&call(tenant), async |tx| Ok(insert(&tx, &first).await?)).await.unwrap();
        let mut second = thing("a");
        let twice = bench.store.write(&call(tenant), async |tx| Ok(insert(&tx, &second).await?)).await.unwrap_err();
        assert!(cause(&twice).is_unique_violation(), "{twice:?}");
        second.name.push('2');
        second.quantity = -1;
        let negative = bench.store.write(&call(tenant), async |tx| Ok(insert(&tx, &second).await?)).await.unwrap_err();
        assert_eq!(cause(&negative).constraint(), Some(Constraint::Check));
        let note = async |tx: Tx| {
            tx.run(&INSERT_NOTE).bind(second.id).bind(second.id).execute().await?;
            Ok(())
        };
        assert!(cause(&bench.store.write(&call(tenant), note).await.unwrap_err()).is_foreign_key_violation());
    }

    async fn a_value_of_another_type_is_an_error_that_names_the_statement(bench) {
        let tenant = tenant();
        bench.add(tenant, "a").await;
        let value = async |read: Read| Ok(read.run(&LIST_NAMES).fetch_value::<i64>().await?);
        let wrong = bench.store.read(&call(tenant), value).await.unwrap_err();
        assert!(matches!(cause(&wrong), StoreError::Type { statement: "LIST_NAMES", .. }), "{wrong:?}");
        let rows = async |read: Read| Ok(read.run(&LIST_NAMES).fetch_all::<(Json<u8>,)>().await?.len());
        let wrong = bench.store.read(&call(tenant), rows).await.unwrap_err();
        assert!(matches!(cause(&wrong), StoreError::Type { statement: "LIST_NAMES", .. }), "{wrong:?}");
    }

    async fn a_row_that_must_be_there_and_is_not_is_an_error(bench) {
        let value = async |read: Read| Ok(read.run(&LIST_NAMES).fetch_value::<String>().await?);
        let none = bench.store.read(&call(tenant()), value).await.unwrap_err();
        assert!(matches!(cause(&none), StoreError::NoRow { statement: "LIST_NAMES" }), "{none:?}");
    }
}
