//! Events are written with the change that caused them.

use uuid::Uuid;
use weft_call::{Error, Event, EventContract, Scope, TenantId};
use weft_store::{Read, Tx, statements};

use crate::support::{Bench, call, call_with, cause, insert, on_both, system, tenant, thing};

statements! {
    system LIST_OUTBOX = "SELECT tenant_id, topic, event_key, ordinal, causation_id \
        FROM weft_outbox ORDER BY transaction_id, ordinal LIMIT 100";
}

/// An event of the domain that the tests have.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ThingMade {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

impl Event for ThingMade {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.thing.made",
        domain: "things",
        message: "weft.things.v1.ThingMade",
        key: "name",
        permission: None,
    };

    fn key(&self) -> &str {
        &self.name
    }
}

/// An event of another domain.
#[derive(Clone, PartialEq, prost::Message)]
struct Foreign {}

impl Event for Foreign {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.order.created",
        domain: "orders",
        message: "weft.orders.v1.OrderCreated",
        key: "id",
        permission: None,
    };

    fn key(&self) -> &'static str {
        "key"
    }
}

type Row = (Uuid, String, String, i64, Option<Uuid>);

async fn outbox(bench: &Bench) -> Vec<Row> {
    bench.store.read(&system(), async |read: Read| Ok(read.run(&LIST_OUTBOX).fetch_all().await?)).await.unwrap()
}

fn made(name: &str) -> ThingMade {
    ThingMade { name: name.to_owned() }
}

fn refused<T>(outcome: Result<T, Error>) -> String {
    cause(&outcome.err().unwrap()).to_string()
}

on_both! {
    async fn an_event_is_there_with_its_change_or_not_at_all(bench) {
        let tenant = tenant();
        let write = async |tx: Tx, keep: bool| {
            insert(&tx, &thing("cup")).await?;
            tx.publish(&made("cup")).await?;
            tx.publish(&made("saucer")).await?;
            if keep { Ok(()) } else { Err(Error::invalid_field("name", "a test wants it so")) }
        };
        assert!(bench.store.write(&call(tenant), async |tx| write(tx, false).await).await.is_err());
        assert_eq!((bench.names(tenant).await, outbox(&bench).await), (vec![], vec![]));
        let cause = Uuid::now_v7();
        let handled = call_with(|parts| {
            parts.scope = Scope::Tenant(tenant);
            parts.causation = Some(cause);
        });
        bench.store.write(&handled, async |tx| write(tx, true).await).await.unwrap();
        let row = |key: &str, ordinal| (tenant.0, "events.thing.made".to_owned(), key.to_owned(), ordinal, Some(cause));
        assert_eq!(outbox(&bench).await, [row("cup", 0), row("saucer", 1)]);
    }

    async fn a_commit_with_an_event_wakes_who_waits_for_it(bench) {
        let published = bench.store.published();
        bench.add(tenant(), "silent").await;
        let woken = published.notified();
        bench.store.write(&call(tenant()), async |tx: Tx| Ok(tx.publish(&made("cup")).await?)).await.unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), woken).await.unwrap();
    }

    async fn an_event_for_a_tenant_comes_from_its_own_call_or_the_system(bench) {
        let (own, other) = (tenant(), tenant());
        let publish = async |tx: Tx, to: TenantId| Ok(tx.publish_for(to, &made("cup")).await?);
        assert!(bench.store.write(&call(own), async |tx| publish(tx, other).await).await.is_err());
        bench.store.transact(&system(), async |tx| publish(tx, other).await).await.unwrap();
        let homeless = bench.store.transact(&system(), async |tx: Tx| Ok(tx.publish(&made("cup")).await?)).await;
        assert_eq!(refused(homeless), "the call belongs to no tenant");
        assert_eq!(outbox(&bench).await.iter().map(|row| row.0).collect::<Vec<_>>(), [other.0]);
    }

    async fn an_event_that_cannot_be_carried_is_refused(bench) {
        let publish = async |event: ThingMade, times: u32| {
            let write = async |tx: Tx| {
                for _ in 0..times {
                    tx.publish(&event).await?;
                }
                Ok(())
            };
            bench.store.write(&call(tenant()), write).await
        };
        let key = "an event of events.thing.made has a key that is empty, too long, or holds a NUL";
        for name in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
            assert_eq!(refused(publish(ThingMade { name }, 1).await), key);
        }
        assert_eq!(refused(publish(made("cup"), 1001).await), "a transaction publishes at most 1000 events");
        let foreign = bench.store.write(&call(tenant()), async |tx: Tx| Ok(tx.publish(&Foreign {}).await?)).await;
        assert_eq!(refused(foreign), "an event of events.order.created is published by the domain orders alone");
        assert_eq!(outbox(&bench).await, []);
    }
}
