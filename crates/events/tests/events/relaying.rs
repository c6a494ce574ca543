//! The log has every committed event once, and none before what may still come before it.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore};
use weft_events::{Envelope, log};
use weft_store::Tx;

use crate::given::{Backend, By, House, Stepped, call, steps, system, tenant, until};

async fn logged(house: &House) -> Vec<Envelope> {
    log::after(&house.shop, &system(), 0, 1000).await.unwrap()
}

fn stepped(what: &str, step: i64) -> Stepped {
    Stepped { what: what.to_owned(), step }
}

/// A transaction that began to write first and commits last is neither skipped nor overtaken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_late_is_neither_skipped_nor_overtaken() {
    let house = House::open(Backend::Postgres, By::InProcess).await;
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    let (written, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let late = tokio::spawn({
        let (shop, written, go_on) = (house.shop.clone(), Arc::clone(&written), Arc::clone(&go_on));
        async move {
            let write = async |tx: Tx| {
                tx.publish(&stepped("thing", 0)).await?;
                written.notify_one();
                drop(go_on.acquire().await);
                Ok(())
            };
            shop.transact(&call(tenant), write).await.unwrap();
        }
    });
    written.notified().await;
    house.publish(tenant, "thing", 1..4).await;
    // Committed and wanted, and yet it waits: what is open could come before it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((logged(&house).await, house.effects(tenant).await.len()), (vec![], 0));
    go_on.add_permits(1);
    late.await.unwrap();
    assert_eq!(house.wait_for(tenant, 4).await["thing"], steps(4));
    let order: Vec<_> = logged(&house).await.iter().map(|event| event.message::<Stepped>().unwrap().step).collect();
    assert_eq!(order, steps(4));
}

async fn the_log_has_every_event_once_without_gaps(house: House) {
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenants: Vec<_> = (0..6).map(|_| tenant()).collect();
    join_all(tenants.iter().map(|tenant| house.publish(*tenant, "thing", 0..20))).await;
    until("all is in the log", async || logged(&house).await.len() == 120).await;
    let log = logged(&house).await;
    assert_eq!(log.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=120).collect::<Vec<_>>());
    for tenant in tenants {
        let own = log.iter().filter(|event| event.tenant == tenant);
        assert_eq!(own.map(|event| event.message::<Stepped>().unwrap().step).collect::<Vec<_>>(), steps(20));
    }
}

async fn what_is_sent_is_kept_for_a_time_and_then_forgotten(house: House) {
    let (relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    house.publish(tenant, "thing", 0..3).await;
    house.wait_for(tenant, 3).await;
    until("all is sent", async || log::backlog(&house.shop, &system()).await.unwrap().count == 0).await;
    relay.stop().await;
    house.publish(tenant, "thing", 3..5).await;
    let now = house.clock.now();
    assert_eq!(log::expire(&house.shop, &system(), now - chrono::TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(log::expire(&house.shop, &system(), now + chrono::TimeDelta::hours(1)).await.unwrap(), 3);
    // What the carrier does not have is not forgotten, however old.
    assert_eq!(log::backlog(&house.shop, &system()).await.unwrap().count, 2);
    let _relay = house.relay();
    assert_eq!(house.wait_for(tenant, 5).await["thing"], steps(5));
    assert_eq!(logged(&house).await.iter().map(|event| event.position).collect::<Vec<_>>(), [4, 5]);
}

crate::given::everywhere!(the_log_has_every_event_once_without_gaps, what_is_sent_is_kept_for_a_time_and_then_forgotten);
