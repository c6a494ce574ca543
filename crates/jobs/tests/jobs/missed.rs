//! Times at which nobody ran.

use std::time::Duration;

use weft_jobs::{Missed, Schedule};

use crate::given::{House, on_both};

const HOUR: Duration = Duration::from_hours(1);
/// The tests begin at noon.
const NIGHTLY: Schedule = Schedule::at("0 3 * * *");

on_both!(
    missed_times_are_made_up_for_by_one_run,
    missed_times_are_left_out_where_the_schedule_says_so,
    a_pattern_is_followed,
    a_release_with_another_schedule_reckons_anew,
);

async fn missed_times_are_made_up_for_by_one_run(house: House) {
    let first = house.replica("first", Schedule::every(HOUR));
    house.pass(HOUR).await;
    house.settled(1).await;
    first.stop().await;
    house.clock.advance(HOUR * 10 + HOUR / 2);
    let next = house.replica("next", Schedule::every(HOUR));
    assert_eq!(house.settled(2).await, ["first", "next"]);
    // The beat is kept: the next time is in half an hour.
    house.pass(HOUR / 2).await;
    assert_eq!(house.settled(3).await.len(), 3);
    next.stop().await;
}

async fn missed_times_are_left_out_where_the_schedule_says_so(house: House) {
    let schedule = NIGHTLY.missed(Missed::Skip);
    house.replica("first", schedule).stop().await;
    let first = house.replica("first", schedule);
    house.rests().await;
    first.stop().await;
    house.clock.advance(HOUR * 16);
    let next = house.replica("next", schedule);
    assert!(house.settled(0).await.is_empty());
    house.pass(HOUR * 23).await;
    assert_eq!(house.settled(1).await, ["next"]);
    next.stop().await;
}

async fn a_pattern_is_followed(house: House) {
    let replica = house.replica("a", NIGHTLY);
    house.pass(Duration::from_secs(15 * 3600 - 1)).await;
    assert!(house.settled(0).await.is_empty());
    house.pass(Duration::from_secs(1)).await;
    assert_eq!(house.settled(1).await.len(), 1);
    house.pass(HOUR * 24).await;
    assert_eq!(house.settled(2).await.len(), 2);
    replica.stop().await;
}

async fn a_release_with_another_schedule_reckons_anew(house: House) {
    let old = house.replica("old", NIGHTLY);
    house.rests().await;
    old.stop().await;
    let new = house.replica("new", Schedule::every(HOUR));
    house.pass(HOUR).await;
    assert_eq!(house.settled(1).await, ["new"]);
    new.stop().await;
}
