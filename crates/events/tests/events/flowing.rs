//! What is committed has its effect, once and in order; what is not has none.

use futures_util::future::join_all;
use weft_call::Error;
use weft_store::Tx;

use crate::given::{Backend, By, Ended, House, Stepped, call, everywhere, steps, tenant};

everywhere!(
    every_event_has_its_effect_once_and_in_the_order_of_its_key,
    what_is_rolled_back_was_never_said,
    events_of_several_topics_keep_the_order_of_their_key,
    what_was_published_before_anybody_listened_is_handled,
);

async fn every_event_has_its_effect_once_and_in_the_order_of_its_key(house: House) {
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let (one, other) = (tenant(), tenant());
    let keys: Vec<_> = (0..8).map(|key| format!("thing-{key}")).collect();
    join_all(keys.iter().map(|key| house.publish(if key == "thing-7" { other } else { one }, key, 0..15))).await;
    let effects = house.wait_for(one, 105).await;
    assert_eq!(effects.len(), 7);
    assert!(effects.values().all(|seen| *seen == steps(15)), "{effects:?}");
    assert_eq!(house.wait_for(other, 15).await["thing-7"], steps(15));
}

async fn what_is_rolled_back_was_never_said(house: House) {
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    let fail = async |tx: Tx| {
        tx.publish(&Stepped { what: "thing".to_owned(), step: 99 }).await?;
        Err::<(), _>(Error::invalid_field("step", "a test wants it so"))
    };
    house.publish(tenant, "thing", 0..1).await;
    assert!(house.shop.transact(&call(tenant), fail).await.is_err());
    house.publish(tenant, "thing", 1..3).await;
    assert_eq!(house.wait_for(tenant, 3).await["thing"], steps(3));
}

async fn events_of_several_topics_keep_the_order_of_their_key(house: House) {
    let (_relay, _consumer) = (house.relay(), house.consumer());
    let tenant = tenant();
    for _ in 0..5 {
        let both = async |tx: Tx| {
            tx.publish(&Stepped { what: "thing".to_owned(), step: 1 }).await?;
            Ok(tx.publish(&Ended { what: "thing".to_owned() }).await?)
        };
        house.shop.transact(&call(tenant), both).await.unwrap();
    }
    assert_eq!(house.wait_for(tenant, 10).await["thing"], [1, -1].repeat(5));
}

async fn what_was_published_before_anybody_listened_is_handled(house: House) {
    let tenant = tenant();
    house.publish(tenant, "thing", 0..5).await;
    let _relay = house.relay();
    house.publish(tenant, "thing", 5..10).await;
    let _consumer = house.consumer();
    assert_eq!(house.wait_for(tenant, 10).await["thing"], steps(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_to_a_topic_gets_no_other() {
    for by in By::ALL {
        let house = House::with(Backend::Sqlite, by, vec!["events.thing.ended"]).await;
        let (_relay, _consumer) = (house.relay(), house.consumer());
        let tenant = tenant();
        house.publish(tenant, "thing", 0..3).await;
        let end = async |tx: Tx| Ok(tx.publish(&Ended { what: "thing".to_owned() }).await?);
        house.shop.transact(&call(tenant), end).await.unwrap();
        assert_eq!(house.wait_for(tenant, 1).await["thing"], [-1]);
    }
}
