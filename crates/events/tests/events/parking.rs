//! What cannot be handled waits, with what follows it, and nothing else does.

use std::{sync::atomic::Ordering, time::Duration};

use weft_call::{Clock, MeshReason};
use weft_events::deferred;

use crate::given::{Backend, By, House, LEASE, everywhere, steps, system, tenant, until};

everywhere!(a_key_that_fails_is_parked_with_its_successors_and_others_flow, what_passes_by_itself_is_tried_until_it_has_passed,);

async fn a_key_that_fails_is_parked_with_its_successors_and_others_flow(mut house: House) {
    house.clock = Clock::manual(house.clock.now());
    let (_relay, consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    house.trouble.at("bad", MeshReason::ValidationFailed);
    house.publish(tenant, "bad", 0..4).await;
    house.publish(tenant, "good", 0..10).await;
    assert_eq!(house.wait_for(tenant, 10).await.get("good"), Some(&steps(10)));
    let parked = async || {
        house.clock.advance(Duration::from_mins(1));
        deferred::count(&house.mail, &system()).await.unwrap() == (1, 4)
    };
    until("the key is parked", parked).await;
    assert_eq!(house.trouble.failures.load(Ordering::SeqCst), usize::try_from(deferred::ATTEMPTS).unwrap());
    let parked = deferred::parked(&house.mail, &system(), 10).await.unwrap();
    let [parked] = parked.as_slice() else { panic!("{parked:?}") };
    assert_eq!((parked.event_key.as_str(), parked.source.as_str(), parked.behind), ("bad", "shop", 3));
    assert_eq!((parked.topic.as_str(), parked.tenant(), parked.attempts), ("events.thing.stepped", tenant, deferred::ATTEMPTS));
    assert_eq!(parked.error, "INVALID_ARGUMENT (VALIDATION_FAILED): a test wants it so");
    // It stays so, also for who takes over, and for what follows.
    consumer.crash().await;
    house.clock.advance(LEASE);
    let _consumer = house.consumer();
    house.publish(tenant, "bad", 4..6).await;
    house.publish(tenant, "good", 10..12).await;
    assert_eq!(house.wait_for(tenant, 12).await.get("bad"), None);
    until("the successors wait", async || deferred::count(&house.mail, &system()).await.unwrap() == (1, 6)).await;
    house.trouble.mend();
    assert_eq!(deferred::replay(&house.mail, &system(), Some("bad")).await.unwrap(), 1);
    let effects = house.wait_for(tenant, 18).await;
    assert_eq!((&effects["bad"], &effects["good"]), (&steps(6), &steps(12)));
    until("nothing waits", async || deferred::count(&house.mail, &system()).await.unwrap() == (0, 0)).await;
    house.publish(tenant, "bad", 6..7).await;
    assert_eq!(house.wait_for(tenant, 19).await["bad"], steps(7));
}

async fn what_passes_by_itself_is_tried_until_it_has_passed(house: House) {
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    house.trouble.at("*", MeshReason::UpstreamUnavailable);
    house.publish(tenant, "thing", 0..3).await;
    until("it was tried again", async || house.trouble.failures.load(Ordering::SeqCst) >= 3).await;
    house.trouble.mend();
    assert_eq!(house.wait_for(tenant, 3).await["thing"], steps(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_fails_like_any_other() {
    let house = House::open(Backend::Sqlite, By::InProcess).await;
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    house.trouble.panics.store(true, Ordering::SeqCst);
    house.trouble.at("bad", MeshReason::Internal);
    house.publish(tenant, "bad", 0..1).await;
    house.publish(tenant, "good", 0..1).await;
    assert_eq!(house.wait_for(tenant, 1).await.get("good"), Some(&steps(1)));
    house.trouble.mend();
    assert_eq!(house.wait_for(tenant, 2).await["bad"], steps(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_counted() {
    let house = House::open(Backend::Sqlite, By::InProcess).await;
    house.trouble.at("bad", MeshReason::ValidationFailed);
    house.publish(tenant(), "bad", 0..2).await;
    let relay = house.relay();
    let says = async |line: &str| house.metrics.render().lines().any(|found| found == line);
    until("the backlog is told", async || says("weft_events_backlog{domain=\"shop\"} 2").await).await;
    let _consumer = house.consumer();
    until("what is deferred is told", async || says("weft_events_deferred{domain=\"mail\"} 2").await).await;
    until("the backlog is gone", async || says("weft_events_backlog{domain=\"shop\"} 0").await).await;
    relay.stop().await;
}
