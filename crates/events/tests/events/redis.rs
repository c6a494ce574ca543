//! Redis as a carrier: what others hear of it, and what becomes of events when it dies.

use futures_util::StreamExt;
use redis::{AsyncCommands, Client};
use secrecy::{ExposeSecret, SecretString};
use weft_events::Envelope;
use weft_store::Tx;

use crate::given::{Backend, By, Ended, House, LIMIT, call, steps, tenant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_client_hears_of_events_by_name_or_pattern() {
    let house = House::open(Backend::Sqlite, By::Redis).await;
    let client = Client::open(house.address.as_ref().unwrap().expose_secret()).unwrap();
    let mut heard = client.get_async_pubsub().await.unwrap();
    heard.psubscribe("events.thing.*").await.unwrap();
    heard.subscribe("events.thing.ended").await.unwrap();
    let (_relay, tenant) = (house.relay(), tenant());
    house.publish(tenant, "thing", 0..2).await;
    let end = async |tx: Tx| Ok(tx.publish(&Ended { what: "thing".to_owned() }).await?);
    house.shop.transact(&call(tenant), end).await.unwrap();
    let mut channels = Vec::new();
    let mut messages = heard.on_message();
    // The last is heard by its name and by its pattern.
    while channels.len() < 4 {
        let message = tokio::time::timeout(LIMIT, messages.next()).await.unwrap().unwrap();
        let event = Envelope::from_json(message.get_payload_bytes()).unwrap();
        assert_eq!((event.topic.as_str(), event.tenant), (message.get_channel_name(), tenant));
        channels.push(event.topic);
    }
    let ended = "events.thing.ended";
    assert_eq!(channels, ["events.thing.stepped", "events.thing.stepped", ended, ended]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_everything_takes_and_gives_again() {
    let mut server = weft_test_redis::Server::start().unwrap_or_else(|error| panic!("{error}"));
    let address = SecretString::from(server.address());
    let house = House::at(Backend::Sqlite, Some(address), vec!["events.thing.*"]).await;
    let (_relay, _consumer, tenant) = (house.relay(), house.consumer(), tenant());
    house.publish(tenant, "thing", 0..3).await;
    house.wait_for(tenant, 3).await;
    server.restart().unwrap();
    house.publish(tenant, "thing", 3..6).await;
    assert_eq!(house.wait_for(tenant, 6).await["thing"], steps(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_event_stands_in_nobodys_way() {
    let house = House::open(Backend::Sqlite, By::Redis).await;
    let client = Client::open(house.address.as_ref().unwrap().expose_secret()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for entry in [[("topic", "events.thing.stepped"), ("event", "{}")], [("what", "ever"), ("that", "is")]] {
        let _: String = connection.xadd("weft:events:shop", "*", &entry).await.unwrap();
    }
    let (_relay, _consumer, tenant) = (house.relay(), house.consumer(), tenant());
    house.publish(tenant, "thing", 0..2).await;
    assert_eq!(house.wait_for(tenant, 2).await["thing"], steps(2));
    let pending = async || {
        let mut connection = connection.clone();
        let pending: redis::streams::StreamPendingReply = connection.xpending("weft:events:shop", "weft:mail").await.unwrap();
        pending.count() == 0
    };
    crate::given::until("all is acknowledged", pending).await;
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_being_told() {
    let error = weft_events::Redis::new(&SecretString::from("redis://user:secret@ho st")).unwrap_err();
    assert!(error.to_string().starts_with("`events.url`, or `redis.url` without it, is no address of a carrier"), "{error}");
}
