//! Carriers that keep a log of their own: what they forget stands in nobody's way.

use std::time::Duration;

use async_nats::jetstream;
use rskafka::client::{Client, ClientBuilder, partition::UnknownTopicHandling};
use secrecy::ExposeSecret;

use crate::given::{Backend, By, House, steps, tenant};

/// How long brokers may take to delete, in milliseconds.
const DELETE_LIMIT: i32 = 10_000;

async fn nats(house: &House) -> jetstream::Context {
    jetstream::new(async_nats::connect(house.address.as_ref().unwrap().expose_secret()).await.unwrap())
}

async fn kafka(house: &House) -> Client {
    let broker = house.address.as_ref().unwrap().expose_secret().trim_start_matches("kafka://").to_owned();
    ClientBuilder::new(vec![broker]).build().await.unwrap()
}

/// Deletes what the carrier has of the first so many events.
async fn trim(house: &House, by: By, count: u64) {
    let (namespace, limit) = (&house.namespace, DELETE_LIMIT);
    if by == By::Nats {
        let stream = nats(house).await.get_stream(format!("{namespace}-events-shop")).await.unwrap();
        assert_eq!(stream.purge().sequence(count + 1).await.unwrap().purged, count);
    } else {
        let topic = kafka(house).await.partition_client(format!("{namespace}.events.shop"), 0, UnknownTopicHandling::Error).await;
        topic.unwrap().delete_records(i64::try_from(count).unwrap(), limit).await.unwrap();
    }
}

/// Deletes all that the carrier has.
async fn forget(house: &House, by: By) {
    let (namespace, limit) = (&house.namespace, DELETE_LIMIT);
    if by == By::Nats {
        nats(house).await.delete_stream(format!("{namespace}-events-shop")).await.unwrap();
    } else {
        let controller = kafka(house).await.controller_client().unwrap();
        controller.delete_topic(format!("{namespace}.events.shop"), limit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_comes_after_a_trim_begins_with_what_is_left() {
    for by in [By::Nats, By::Kafka] {
        let house = House::open(Backend::Sqlite, by).await;
        let (_relay, consumer, tenant) = (house.relay(), house.consumer(), tenant());
        house.publish(tenant, "thing", 0..5).await;
        house.wait_for(tenant, 5).await;
        consumer.stop().await;
        house.publish(tenant, "thing", 5..8).await;
        house.settled().await;
        trim(&house, by, 6).await;
        let _next = house.consumer();
        assert_eq!(house.wait_for(tenant, 7).await["thing"], [0, 1, 2, 3, 4, 6, 7], "{by:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_that_forgot_everything_takes_and_gives_again() {
    for by in [By::Nats, By::Kafka] {
        let house = House::open(Backend::Sqlite, by).await;
        let (_relay, _consumer, tenant) = (house.relay(), house.consumer(), tenant());
        house.publish(tenant, "thing", 0..5).await;
        house.wait_for(tenant, 5).await;
        forget(&house, by).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        house.publish(tenant, "thing", 5..8).await;
        assert_eq!(house.wait_for(tenant, 8).await["thing"], steps(8), "{by:?}");
    }
}
