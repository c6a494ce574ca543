//! Marks, which several processes raise.

use std::time::Duration;

use secrecy::SecretString;
use weft_cache::{CounterScope, MarkKey, Marks as _, Redis};

use crate::given::a_tenant;

const LONG: Duration = Duration::from_mins(1);

fn redis() -> Redis {
    Redis::new(&SecretString::from(weft_test_redis::address().unwrap())).unwrap()
}

fn key(subject: &str) -> MarkKey {
    MarkKey::new("test.written", CounterScope::Tenant(a_tenant()), subject).unwrap()
}

#[tokio::test]
async fn a_mark_only_rises_whoever_raises_it() {
    let (one, other, key, none) = (redis(), redis(), key("ada"), key("ada"));
    // Neighbours beyond what a double tells apart, and one whose text is shorter.
    let (low, high) = ((1_u64 << 60) + 1, (1_u64 << 60) + 2);
    assert_eq!(one.pair(&key, &none).await.unwrap(), (None, None));
    one.raise(&key, low, LONG).await.unwrap();
    other.raise(&key, high, LONG).await.unwrap();
    one.raise(&key, low, LONG).await.unwrap();
    one.raise(&key, 9, LONG).await.unwrap();
    assert_eq!(one.pair(&key, &none).await.unwrap(), (Some(high), None));
    assert_eq!(other.pair(&none, &key).await.unwrap(), (None, Some(high)));
    one.raise(&key, u64::MAX, LONG).await.unwrap();
    assert_eq!(one.pair(&key, &key).await.unwrap(), (Some(u64::MAX), Some(u64::MAX)));
}
