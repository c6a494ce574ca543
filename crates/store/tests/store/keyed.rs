//! A repeat of a KEYED call gets the first one's answer, and makes no second change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use weft_call::{Answer, Call, Clock, MeshReason, Principal, Replays, Reply, Result};
use weft_store::{Store, StoreError, Tx};

use crate::support::{RENAME, call_with, cause, insert, keyed, keyed_with, on_both, system, tenant, thing};

/// Makes a thing of a random name and answers with the name.
async fn create(store: &Store, call: &Call) -> Result<String> {
    store
        .write(call, async |tx| {
            let thing = thing(&uuid::Uuid::new_v4().to_string());
            insert(&tx, &thing).await?;
            Ok(thing.name)
        })
        .await
}

on_both! {
    async fn a_repeat_gets_the_first_answer_and_changes_nothing(bench) {
        let tenant = tenant();
        let first = create(&bench.store, &keyed(tenant, "k", "request")).await.unwrap();
        let again = create(&bench.store, &keyed(tenant, "k", "request")).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(bench.names(tenant).await, [first]);
    }

    async fn a_key_is_refused_with_another_request(bench) {
        let tenant = tenant();
        let first = create(&bench.store, &keyed(tenant, "k", "request")).await.unwrap();
        let reused = create(&bench.store, &keyed(tenant, "k", "another")).await.unwrap_err();
        assert_eq!(reused.reason(), Some(MeshReason::IdempotencyKeyReused));
        let reused = bench.store.find(&keyed(tenant, "k", "another")).await.unwrap_err();
        assert_eq!(reused.reason(), Some(MeshReason::IdempotencyKeyReused));
        assert_eq!(bench.names(tenant).await, [first]);
    }

    async fn keys_of_other_tenants_principals_and_methods_are_other_keys(bench) {
        let (one, other) = (tenant(), tenant());
        create(&bench.store, &keyed(one, "k", "request")).await.unwrap();
        create(&bench.store, &keyed(other, "k", "request")).await.unwrap();
        create(&bench.store, &keyed(one, "k2", "request")).await.unwrap();
        create(&bench.store, &keyed_with(one, "k", "request", |parts| parts.method = Some(&RENAME))).await.unwrap();
        let carts = |parts: &mut weft_call::CallBuilder| parts.principal = Principal::Workload("carts".into());
        create(&bench.store, &keyed_with(one, "k", "request", carts)).await.unwrap();
        assert_eq!((bench.names(one).await.len(), bench.names(other).await.len()), (4, 1));
    }

    async fn a_call_without_key_makes_its_change_each_time(bench) {
        let tenant = tenant();
        for _ in 0..2 {
            create(&bench.store, &keyed_with(tenant, "k", "request", |parts| parts.idempotency_key = None)).await.unwrap();
        }
        assert_eq!(bench.names(tenant).await.len(), 2);
    }

    async fn sixteen_twins_make_one_change_and_get_one_answer(bench) {
        let tenant = tenant();
        let runs = Arc::new(AtomicU32::new(0));
        let twins: Vec<_> = (0..16)
            .map(|_| {
                let (store, runs) = (bench.store.clone(), Arc::clone(&runs));
                tokio::spawn(async move {
                    let make = async |tx: Tx| {
                        runs.fetch_add(1, Ordering::SeqCst);
                        let thing = thing(&uuid::Uuid::new_v4().to_string());
                        insert(&tx, &thing).await?;
                        Ok(thing.name)
                    };
                    store.write(&keyed(tenant, "k", "request"), make).await.unwrap()
                })
            })
            .collect();
        let mut answers = Vec::new();
        for twin in twins {
            answers.push(twin.await.unwrap());
        }
        let made = bench.names(tenant).await;
        assert_eq!(made.len(), 1);
        assert!(answers.iter().all(|answer| *answer == made[0]), "{answers:?} {made:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn a_write_that_failed_leaves_its_key_free(bench) {
        let tenant = tenant();
        let failed: Result<String> = bench
            .store
            .write(&keyed(tenant, "k", "request"), async |tx| {
                insert(&tx, &thing("a")).await?;
                Err(weft_call::Error::invalid_field("name", "is not to my taste"))
            })
            .await;
        assert_eq!(failed.unwrap_err().reason(), Some(MeshReason::ValidationFailed));
        assert_eq!(bench.store.find(&keyed(tenant, "k", "request")).await.unwrap(), None);
        let made = create(&bench.store, &keyed(tenant, "k", "request")).await.unwrap();
        assert_eq!(bench.names(tenant).await, [made]);
    }

    async fn a_second_write_of_one_keyed_call_is_refused(bench) {
        let tenant = tenant();
        let call = keyed(tenant, "k", "request");
        let first = create(&bench.store, &call).await.unwrap();
        // A clone for a step is the same call.
        for second in [call.clone(), call.step("another")] {
            let second = create(&bench.store, &second).await.unwrap_err();
            assert!(matches!(cause(&second), StoreError::KeyedWritesOnce { .. }), "{second:?}");
        }
        let unanswered = bench.store.transact(&keyed(tenant, "k2", "r"), async |_| Ok(())).await.unwrap_err();
        assert!(matches!(cause(&unanswered), StoreError::KeyedWritesOnce { .. }), "{unanswered:?}");
        assert_eq!(bench.names(tenant).await, [first]);
    }

    async fn a_stored_reply_is_found_with_its_status_and_headers(bench) {
        let call = keyed(tenant(), "k", "request");
        assert_eq!(bench.store.find(&call).await.unwrap(), None);
        let write = bench.store.write(&call, async |tx: Tx| {
            insert(&tx, &thing("a")).await?;
            Ok(Reply::created("a".to_owned(), "/api/v1/things/a"))
        });
        write.await.unwrap();
        let found = bench.store.find(&call).await.unwrap().unwrap();
        let reply = <Reply<String> as Answer>::from_bytes(&found).unwrap();
        assert_eq!((reply.message.as_str(), reply.status), ("a", Some(201)));
    }

    async fn a_system_scope_has_keys_of_its_own(bench) {
        let tenant = tenant();
        let in_system = || keyed_with(tenant, "k", "request", |parts| parts.scope = system().scope());
        let write = async |call: Call, answer: &str| bench.store.write(&call, async |_| Ok(answer.to_owned())).await.unwrap();
        assert_eq!(write(in_system(), "first").await, "first");
        assert_eq!(write(in_system(), "second").await, "first");
        assert_eq!(write(keyed(tenant, "k", "request"), "third").await, "third");
    }

    async fn records_expire_after_48_hours_and_not_before(bench) {
        let clock = Clock::manual(Clock::system().now());
        let tenant = tenant();
        let at_clock = |parts: &mut weft_call::CallBuilder| parts.clock = clock.clone();
        let expire = async || {
            let call = call_with(|parts| {
                parts.scope = system().scope();
                parts.clock = clock.clone();
            });
            bench.store.expire_idempotency_records(&call).await.unwrap()
        };
        let first = create(&bench.store, &keyed_with(tenant, "k", "request", at_clock)).await.unwrap();
        clock.advance(Duration::from_hours(48));
        assert_eq!(expire().await, 0);
        assert_eq!(create(&bench.store, &keyed_with(tenant, "k", "request", at_clock)).await.unwrap(), first);
        clock.advance(Duration::from_secs(1));
        assert_eq!(expire().await, 1);
        assert_ne!(create(&bench.store, &keyed_with(tenant, "k", "request", at_clock)).await.unwrap(), first);
    }
}
