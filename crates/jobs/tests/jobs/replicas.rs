//! Several replicas, one run.

use std::time::Duration;

use weft_call::Clock;
use weft_jobs::Schedule;

use crate::given::{House, LEASE, on_both, until};

const HOURLY: Schedule = Schedule::every(Duration::from_hours(1));
const HOUR: Duration = Duration::from_hours(1);

on_both!(
    of_three_replicas_one_runs_each_time,
    a_replica_that_dies_in_a_run_is_followed_by_another,
    one_that_wakes_up_late_writes_nothing,
    a_run_that_lasts_longer_than_its_lease_keeps_it,
    who_stops_finishes_its_run,
    a_run_out_of_turn_waits_for_the_one_under_way,
);

async fn of_three_replicas_one_runs_each_time(house: House) {
    let replicas = ["a", "b", "c"].map(|name| house.replica(name, HOURLY));
    for hour in 1..=5 {
        house.pass(HOUR).await;
        assert_eq!(house.settled(hour).await.len(), hour);
    }
    for replica in replicas {
        replica.stop().await;
    }
}

async fn a_replica_that_dies_in_a_run_is_followed_by_another(house: House) {
    let dying = house.replica("dying", HOURLY);
    dying.hang();
    house.pass(HOUR).await;
    dying.has_begun(1).await;
    dying.crash().await;
    let next = house.replica("next", HOURLY);
    house.pass(LEASE / 2).await;
    assert_eq!(next.work.begun.load(std::sync::atomic::Ordering::SeqCst), 0, "the lease holds");
    house.pass(LEASE).await;
    assert_eq!(house.settled(1).await, ["next"]);
}

async fn one_that_wakes_up_late_writes_nothing(house: House) {
    // A process that hangs: its clock stands still, so it neither renews its lease nor knows that it is over.
    let stopped = Clock::manual(house.clock.now() + HOUR);
    let first = Clock::manual(house.clock.now());
    let late = house.replica_at("late", HOURLY, &first);
    late.hang();
    until("it waits", async || first.sleepers() == 1).await;
    first.advance(HOUR);
    late.has_begun(1).await;
    assert_eq!(first.now(), stopped.now());
    let other = house.replica("other", HOURLY);
    house.pass(HOUR + LEASE * 2).await;
    assert_eq!(house.settled(1).await, ["other"]);
    late.wake();
    until("the late write ends", async || !late.work.late.lock().unwrap().is_empty()).await;
    assert_eq!(*late.work.late.lock().unwrap(), ["another process has taken over job/feed; nothing was written"]);
    assert_eq!(house.settled(1).await, ["other"]);
    drop(other);
}

async fn a_run_that_lasts_longer_than_its_lease_keeps_it(house: House) {
    let slow = house.replica("slow", HOURLY);
    slow.hang();
    house.pass(HOUR).await;
    slow.has_begun(1).await;
    let other = house.replica("other", HOURLY);
    for _ in 0..9 {
        house.pass(LEASE / 3).await;
    }
    slow.wake();
    assert_eq!(house.settled(1).await, ["slow"]);
    drop(other);
}

async fn who_stops_finishes_its_run(house: House) {
    let replica = house.replica("a", HOURLY);
    replica.hang();
    house.pass(HOUR).await;
    replica.has_begun(1).await;
    let work = replica.work.clone();
    let stopping = tokio::spawn(replica.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!stopping.is_finished());
    work.gate.add_permits(1);
    stopping.await.unwrap();
    assert_eq!(house.effects().await, ["a"]);
    // The lease was given back: nobody waits for its end.
    let next = house.replica("b", HOURLY);
    house.pass(HOUR).await;
    assert_eq!(house.settled(2).await, ["a", "b"]);
    drop(next);
}

async fn a_run_out_of_turn_waits_for_the_one_under_way(house: House) {
    let replica = house.replica("a", HOURLY);
    replica.hang();
    house.pass(HOUR).await;
    replica.has_begun(1).await;
    let job = replica.job.clone();
    let asked = tokio::spawn(async move { job.run_now().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(replica.work.begun.load(std::sync::atomic::Ordering::SeqCst), 1);
    replica.wake();
    replica.has_begun(2).await;
    replica.wake();
    asked.await.unwrap().unwrap();
    assert_eq!(house.effects().await.len(), 2);
}
