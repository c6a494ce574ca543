//! Redis as a carrier: what others hear of it, and what becomes of events when it dies.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use chrono::DateTime;
use futures_util::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::{AsyncCommands, Client};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use weft_call::{RequestId, TraceContext};
use weft_events::{Carrier, Envelope};
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

/// What the mesh promises to tell of, by domains that there are and by some that are yet to come.
const PROMISED: [&str; 7] = [
    "events.user.registered",
    "events.user.logged_in",
    "events.tenant.created",
    "events.product.created",
    "events.order.created",
    "events.payment.processed",
    "events.inventory.updated",
];

/// Kills it in the end.
struct RedisCli(Child);

impl Drop for RedisCli {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_hears_every_promised_name() {
    let server = weft_test_redis::Server::start().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.port().to_string(), "psubscribe", "events.*"]).stdout(Stdio::piped());
    let mut client = RedisCli(command.spawn().expect("install it with: apt-get install -y redis-tools"));
    let mut lines = BufReader::new(client.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().take(3).eq(["psubscribe", "events.*", "1"]));

    let event = |(position, topic): (i64, &str)| Envelope {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        topic: topic.to_owned(),
        key: "thing".to_owned(),
        position,
        tenant: tenant(),
        time: DateTime::from_timestamp_micros(1_763_700_000_123_456).unwrap(),
        request_id: RequestId::fresh(),
        causation: None,
        trace: TraceContext { is_new: false, ..TraceContext::start() },
        message: "weft.shop.v1.Stepped".to_owned(),
        data: vec![1, 2, 3],
    };
    let sent: Vec<_> = (1..).zip(PROMISED).map(event).collect();
    let carrier = weft_events::Redis::new(&SecretString::from(server.address())).unwrap();
    carrier.send("shop", &sent).await.unwrap();
    for event in sent {
        let told: Vec<_> = lines.by_ref().take(4).collect();
        assert_eq!(told[..3], ["pmessage", "events.*", event.topic.as_str()]);
        assert_eq!(Envelope::from_json(told[3].as_bytes()).unwrap(), event);
    }
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

/// Whether Redis at this address takes an event, when it is trusted by this authority.
async fn sends(address: &str, ca: Option<&std::path::Path>) -> bool {
    let carrier = weft_events::connect_trusted_by(&SecretString::from(address), ca, "weft", []).unwrap();
    carrier.send("shop", &[]).await.is_ok()
}

#[tokio::test]
async fn events_go_over_tls_to_the_server_of_the_authority_that_is_named_alone() {
    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, theirs, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let server = weft_test_redis::Server::with_tls(&certificate.pem(), &key.serialize_pem()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = [("ours", ours.pem()), ("theirs", theirs.pem()), ("empty", String::new())].map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    });
    let address = server.address();
    assert!(sends(&address, Some(&files[0])).await);
    assert!(!sends(&address, Some(&files[1])).await);
    assert!(!sends(&address, None).await);
    let error = weft_events::connect_trusted_by(&SecretString::from(address), Some(&files[2]), "weft", []).err().unwrap();
    assert!(error.to_string().starts_with("redis.ca: "), "{error}");
}
