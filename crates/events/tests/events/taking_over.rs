//! Whoever dies, another goes on, and what was done stays done once.

use std::sync::atomic::Ordering;

use crate::given::{Backend, By, House, everywhere, steps, tenant, until};

everywhere!(
    a_consumer_that_dies_inside_a_transaction_is_followed_by_another,
    a_relay_that_dies_is_followed_by_another,
    of_several_one_works_and_who_stops_in_order_leaves_no_gap,
);

async fn a_consumer_that_dies_inside_a_transaction_is_followed_by_another(house: House) {
    let _relay = house.relay();
    let tenant = tenant();
    let consumer = house.consumer();
    house.publish(tenant, "thing", 0..2).await;
    house.wait_for(tenant, 2).await;
    house.trouble.hangs.store(true, Ordering::SeqCst);
    house.publish(tenant, "thing", 2..6).await;
    until("it is inside a transaction", async || house.trouble.hung.load(Ordering::SeqCst) > 0).await;
    consumer.crash().await;
    house.trouble.hangs.store(false, Ordering::SeqCst);
    let _next = house.consumer();
    assert_eq!(house.wait_for(tenant, 6).await["thing"], steps(6));
}

async fn a_relay_that_dies_is_followed_by_another(house: House) {
    let _consumer = house.consumer();
    let tenant = tenant();
    for round in 0..3 {
        let relay = house.relay();
        house.publish(tenant, "thing", round * 10..round * 10 + 5).await;
        relay.crash().await;
        house.publish(tenant, "thing", round * 10 + 5..round * 10 + 10).await;
    }
    let _relay = house.relay();
    assert_eq!(house.wait_for(tenant, 30).await["thing"], steps(30));
}

async fn of_several_one_works_and_who_stops_in_order_leaves_no_gap(house: House) {
    let tenant = tenant();
    let (first, _second) = (house.relay(), house.relay());
    let (third, _fourth) = (house.consumer(), house.consumer());
    house.publish(tenant, "thing", 0..10).await;
    house.wait_for(tenant, 10).await;
    first.stop().await;
    third.stop().await;
    house.publish(tenant, "thing", 10..20).await;
    assert_eq!(house.wait_for(tenant, 20).await["thing"], steps(20));
}

/// The first relays before it can handle, and the second the other way round: each would wait for the other.
async fn replicas_whose_events_stay_inside_do_not_share_the_work(backend: Backend) {
    let house = House::open(backend, By::InProcess).await;
    let tenant = tenant();
    let (first, second) = (house.replica(), house.replica());
    let (relay, other_consumer) = (first.relay(), second.consumer());
    house.publish(tenant, "thing", 0..5).await;
    let (consumer, _other_relay) = (first.consumer(), second.relay());
    assert_eq!(house.wait_for(tenant, 5).await["thing"], steps(5));
    relay.crash().await;
    consumer.crash().await;
    house.publish(tenant, "thing", 5..10).await;
    assert_eq!(house.wait_for(tenant, 10).await["thing"], steps(10));
    other_consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_on_sqlite_whose_events_stay_inside_do_not_share_the_work() {
    replicas_whose_events_stay_inside_do_not_share_the_work(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_on_postgres_whose_events_stay_inside_do_not_share_the_work() {
    replicas_whose_events_stay_inside_do_not_share_the_work(Backend::Postgres).await;
}
