//! A step is refused, and what was done is undone.

use weft_saga::State;

use crate::given::{House, Trouble, on_both, system};

on_both!(
    what_was_done_is_undone_the_last_first,
    a_step_that_was_refused_late_is_undone_too,
    a_passing_failure_is_tried_again,
    nobody_else_s_tenant_sees_it,
);

async fn what_was_done_is_undone_the_last_first(house: House) {
    house.shop.at("confirm", Trouble::Refused);
    let process = house.process();
    let saga = house.ended(house.begin().await).await;
    assert_eq!((saga.state(), saga.position), (State::Undone, 0));
    assert!(saga.error.starts_with("confirm: "), "{}", saga.error);
    assert_eq!(house.effects().await, ["reserve", "capture", "undo-capture", "undo-reserve"]);
    process.stop().await;
}

async fn a_step_that_was_refused_late_is_undone_too(house: House) {
    house.shop.at("capture", Trouble::RefusedLate);
    let process = house.process();
    assert_eq!(house.ended(house.begin().await).await.state(), State::Undone);
    assert_eq!(house.effects().await, ["reserve", "capture", "undo-capture", "undo-reserve"]);
    process.stop().await;
}

async fn a_passing_failure_is_tried_again(house: House) {
    house.shop.at("capture", Trouble::Passing(2));
    let process = house.process();
    let saga = house.ended(house.begin().await).await;
    assert_eq!((saga.state(), saga.attempts, saga.error.as_str()), (State::Done, 0, ""));
    assert_eq!(house.effects().await, ["reserve", "capture", "confirm"]);
    process.stop().await;
}

async fn nobody_else_s_tenant_sees_it(mut house: House) {
    let id = house.begin().await;
    let found = house.sagas.find(&system(), id).await.unwrap().unwrap();
    assert_eq!((found.tenant(), found.on_behalf_of.as_str()), (house.tenant, format!("user:{}", house.user).as_str()));
    house.tenant = weft_call::TenantId(uuid::Uuid::now_v7());
    assert!(house.sagas.get(&house.call(), id).await.unwrap().is_none());
}
