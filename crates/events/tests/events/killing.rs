//! A carrier that is killed amid events has lost none, doubled none and swapped none once it is back.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use weft_test_carriers::Kind;

use crate::given::{Backend, House, steps, tenant};

/// How often it is killed.
const KILLS: usize = 2;

/// A server of this test's own, which keeps what it has written.
enum Server {
    Redis(weft_test_redis::Server),
    Other(weft_test_carriers::Server),
}

impl Server {
    fn address(&self) -> SecretString {
        match self {
            Self::Redis(server) => server.address().into(),
            Self::Other(server) => server.address().into(),
        }
    }

    /// Ends it in order: what it had not written yet it writes now.
    fn rest(&mut self) {
        if let Self::Other(server) = self {
            server.restart_in_order().unwrap();
        }
    }

    fn restart(&mut self) {
        match self {
            Self::Redis(server) => server.restart().unwrap(),
            Self::Other(server) => server.restart().unwrap(),
        }
    }
}

async fn nothing_is_lost_doubled_or_swapped_while_it_is_killed(mut server: Server) {
    let house = Arc::new(House::at(Backend::Sqlite, Some(server.address()), vec!["events.thing.*"]).await);
    let (_relay, _consumer, tenant, enough) = (house.relay(), house.consumer(), tenant(), CancellationToken::new());
    house.publish(tenant, "thing", 0..1).await;
    house.wait_for(tenant, 1).await;
    tokio::task::block_in_place(|| server.rest());
    let publishing = tokio::spawn({
        let (house, enough) = (Arc::clone(&house), enough.clone());
        async move {
            let mut step = 1;
            while !enough.is_cancelled() {
                house.publish(tenant, "thing", step..step + 1).await;
                step += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            step
        }
    });
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(400)).await;
        tokio::task::block_in_place(|| server.restart());
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    enough.cancel();
    let published = publishing.await.unwrap();
    let effects = house.wait_for(tenant, usize::try_from(published).unwrap()).await;
    assert_eq!(effects["thing"], steps(published));
}

macro_rules! killed {
    ($($name:ident: $server:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let server = $server.unwrap_or_else(|error| panic!("{error}"));
            nothing_is_lost_doubled_or_swapped_while_it_is_killed(server).await;
        })+
    };
}

killed! {
    nothing_is_lost_while_redis_is_killed: weft_test_redis::Server::durable().map(Server::Redis);
    nothing_is_lost_while_nats_is_killed: weft_test_carriers::Server::start(Kind::Nats).map(Server::Other);
    nothing_is_lost_while_rabbitmq_is_killed: weft_test_carriers::Server::start(Kind::RabbitMq).map(Server::Other);
    nothing_is_lost_while_kafka_is_killed: weft_test_carriers::Server::start(Kind::Kafka).map(Server::Other);
}
