//! Limits that are counted by all together.

use std::time::Duration;

use futures_util::future::join_all;
use weft_cache::{CacheError, CounterKey, CounterScope, Rate, Taken};

use crate::given::{Given, a_tenant, on_every_backend, on_every_backend_at_once};

on_every_backend! {
    a_bucket_gives_its_burst_and_then_says_how_long_to_wait
    a_bucket_fills_by_its_rate
    counters_are_kept_apart
}

mod at_once {
    use super::*;
    on_every_backend_at_once! { takers_at_once_get_no_more_than_the_burst }
}

fn per_hour(count: u32, burst: u32) -> Rate {
    Rate::new(count, Duration::from_hours(1), burst).unwrap()
}

fn of_tenant(given: &Given) -> CounterKey {
    CounterKey::new("test.logins", CounterScope::Tenant(given.tenant), "ada").unwrap()
}

async fn a_bucket_gives_its_burst_and_then_says_how_long_to_wait(given: Given) {
    let (key, rate) = (of_tenant(&given), per_hour(60, 3));
    for left in [2, 1, 0] {
        let Taken::Yes { left: told, full_in } = given.counters.take(&key, rate).await.unwrap() else { panic!("{left} to go") };
        assert_eq!(told, left);
        let taken = Duration::from_mins(3 - left);
        assert!(full_in <= taken && full_in + Duration::from_secs(30) > taken, "{full_in:?}");
    }
    for _ in 0..10 {
        let Taken::Wait(wait) = given.counters.take(&key, rate).await.unwrap() else { panic!("a fourth within a minute") };
        // Refused ones take nothing: the wait does not grow.
        assert!((Duration::from_secs(30)..=Duration::from_mins(1)).contains(&wait), "{wait:?}");
    }
}

async fn a_bucket_fills_by_its_rate(given: Given) {
    let (key, rate) = (of_tenant(&given), Rate::new(1, Duration::from_secs(1), 1).unwrap());
    assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Yes { .. }));
    let Taken::Wait(wait) = given.counters.take(&key, rate).await.unwrap() else { panic!("two at once") };
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    // Redis forgets a full bucket at a whole millisecond.
    given.pass(wait + Duration::from_millis(2)).await;
    assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Yes { .. }));
    assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Wait(_)));
}

async fn counters_are_kept_apart(given: Given) {
    let (rate, tenant) = (per_hour(1, 1), CounterScope::Tenant(given.tenant));
    let subject = given.tenant.to_string();
    for key in [
        CounterKey::new("test.logins", tenant, &subject),
        CounterKey::new("test.orders", tenant, &subject),
        CounterKey::new("test.logins", tenant, "grace"),
        CounterKey::new("test.logins", CounterScope::Tenant(a_tenant()), &subject),
        CounterKey::new("test.logins", CounterScope::Mesh, &subject),
    ] {
        let key = key.unwrap();
        assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Yes { .. }), "{key:?}");
        assert!(matches!(given.counters.take(&key, rate).await.unwrap(), Taken::Wait(_)));
    }
    assert!(matches!(CounterKey::new("a/b", tenant, "ada"), Err(CacheError::Name(_))));
}

async fn takers_at_once_get_no_more_than_the_burst(given: Given) {
    let takers = (0..64).map(|_| {
        let (counters, key) = (given.counters.clone(), of_tenant(&given));
        tokio::spawn(async move { counters.take(&key, per_hour(1, 20)).await.unwrap() })
    });
    let taken = join_all(takers).await.into_iter().filter(|taken| matches!(taken, Ok(Taken::Yes { .. }))).count();
    assert_eq!(taken, 20);
}
