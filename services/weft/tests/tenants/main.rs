//! Two tenants do everything that the domains offer, each also with what is the other's; and raw SQL does it as the
//! roles that serve. Not one row crosses.
//!
//! What is drawn follows from a seed, which is told when something crosses. `WEFT_TEST_SEED` repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the counts show that the test did what it is about")]

#[path = "../../src/domains.rs"]
mod table;

mod by_sql;
mod drawn;

use std::{num::NonZeroU32, time::Duration};

use futures_util::StreamExt;
use secrecy::ExposeSecret;
use weft_call::Clock;
use weft_contracts_events::{EventsClient, SubscribeRequest};
use weft_testkit::{Backend, Mesh, on_both};

use drawn::House;

const STEPS: usize = 250;
const LIMIT: Duration = Duration::from_mins(1);

on_both!(not_one_row_crosses_between_two_tenants);

async fn not_one_row_crosses_between_two_tenants(backend: Backend) {
    let seed = std::env::var("WEFT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("WEFT_TEST_SEED={seed}");
    let mesh = Mesh::of(table::domains()).clock(Clock::system()).configure(|config| {
        config.limits.factor = serde_json::from_str("100").unwrap();
        // Whatever one transaction left behind on the connection would be the next one's.
        config.database.max_connections = NonZeroU32::MIN;
    });
    let mut house = House::open(mesh.start(backend).await, seed);
    for _ in 0..STEPS {
        house.step().await;
    }
    let (succeeded, refused) = house.counts();
    println!("{succeeded} calls succeeded, {refused} with what is the other's were refused");
    assert!(succeeded > STEPS / 4 && refused > STEPS / 8, "{succeeded} succeeded, {refused} were refused");
    for side in 0..2 {
        only_own_events_are_told(&house, side).await;
    }
    if let Some(url) = house.mesh.running().config().database.url.clone() {
        by_sql::not_one_row_crosses(url.expose_secret(), &house.tenants(), seed).await;
    }
}

/// Every event up to that of the newest product is about something of one's own.
async fn only_own_events_are_told(house: &House, side: usize) {
    let last = house.sell(side, "the last").await;
    let request = SubscribeRequest { topics: Vec::new(), after: Some(0) };
    let staff = house.staff(side);
    let events = house.mesh.client::<EventsClient>().subscribe(&staff.call(), request).await.unwrap();
    let (mut events, mut count) = (events.into_message(), 0);
    loop {
        let event = tokio::time::timeout(LIMIT, events.next()).await.expect("an event comes").unwrap().unwrap();
        if event.key == last {
            break;
        }
        count += 1;
        assert!(house.is_of(&event.key, side), "{} of {} is told to the other tenant", event.topic, event.key);
    }
    println!("{count} events were told to side {side}");
    assert!(count > 0);
}
