//! What a cache holds, and for how long.

use std::{convert::Infallible, time::Duration};

use weft_cache::{CacheError, CachePolicy, Ephemeral, Json};

use crate::given::{Given, POLICY, a_tenant, has, not_asked, on_every_backend};

on_every_backend! {
    a_value_is_loaded_once_and_then_held
    absence_is_held_too
    absence_is_not_held_without_a_time_for_it
    tenants_and_names_are_kept_apart
    an_entry_is_loaded_again_when_its_time_is_over
    an_absence_has_a_time_of_its_own
    an_invalidated_value_is_loaded_again
    an_invalidated_absence_is_loaded_again
    a_failed_load_is_its_callers_and_leaves_nothing
    a_value_that_is_too_large_is_served_and_not_held
    what_cannot_be_decoded_is_loaded_again
    what_cannot_be_a_key_is_loaded_every_time
}

/// What Redis keeps expires by its own clock, so these times are waited for.
const SHORT: Duration = Duration::from_millis(150);

async fn a_value_is_loaded_once_and_then_held(given: Given) {
    let (cache, elsewhere) = (given.cache::<String>(), given.cache::<String>());
    assert_eq!(cache.get(given.tenant, "a", || has("1")).await.unwrap().as_deref(), Some(&"1".to_owned()));
    assert_eq!(cache.get(given.tenant, "a", not_asked).await.unwrap().as_deref(), Some(&"1".to_owned()));
    assert_eq!(elsewhere.get(given.tenant, "a", not_asked).await.unwrap().as_deref(), Some(&"1".to_owned()));
    assert_eq!(cache.get(given.tenant, "b", || has("")).await.unwrap().as_deref(), Some(&String::new()));
    assert_eq!(cache.get(given.tenant, "b", not_asked).await.unwrap().as_deref(), Some(&String::new()));
}

async fn nothing() -> Result<Option<String>, Infallible> {
    Ok(None)
}

async fn absence_is_held_too(given: Given) {
    let cache = given.cache::<String>();
    assert_eq!(cache.get(given.tenant, "a", nothing).await.unwrap(), None);
    assert_eq!(cache.get(given.tenant, "a", not_asked).await.unwrap(), None);
}

async fn absence_is_not_held_without_a_time_for_it(given: Given) {
    let cache = given.cache_by::<String, Json>(CachePolicy { negative_ttl: None, ..POLICY });
    assert_eq!(cache.get(given.tenant, "a", nothing).await.unwrap(), None);
    assert!(cache.get(given.tenant, "a", || has("1")).await.unwrap().is_some());
}

async fn tenants_and_names_are_kept_apart(given: Given) {
    let cache = given.cache::<String>();
    let other = weft_cache::Cache::<str, String>::new("test.others", POLICY, given.cached.clone()).unwrap();
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    assert_eq!(*cache.get(a_tenant(), "a", || has("2")).await.unwrap().unwrap(), "2");
    assert_eq!(*other.get(given.tenant, "a", || has("3")).await.unwrap().unwrap(), "3");
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "1");
    let name = weft_cache::Cache::<str, String>::new("test/others", POLICY, given.cached.clone());
    assert!(matches!(name, Err(CacheError::Name(_))));
    assert!(matches!(Ephemeral::<str, String>::new("", given.ephemeral), Err(CacheError::Name(_))));
}

async fn an_entry_is_loaded_again_when_its_time_is_over(given: Given) {
    let cache = given.cache_by::<String, Json>(CachePolicy { ttl: SHORT, ..POLICY });
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    given.pass(SHORT).await;
    assert_eq!(*cache.get(given.tenant, "a", || has("2")).await.unwrap().unwrap(), "2");
}

async fn an_absence_has_a_time_of_its_own(given: Given) {
    let cache = given.cache_by::<String, Json>(CachePolicy { negative_ttl: Some(SHORT), ..POLICY });
    cache.get(given.tenant, "a", nothing).await.unwrap();
    cache.get(given.tenant, "b", || has("1")).await.unwrap();
    given.pass(SHORT).await;
    assert_eq!(*cache.get(given.tenant, "a", || has("2")).await.unwrap().unwrap(), "2");
    assert_eq!(*cache.get(given.tenant, "b", not_asked).await.unwrap().unwrap(), "1");
}

async fn an_invalidated_value_is_loaded_again(given: Given) {
    let (cache, elsewhere) = (given.cache::<String>(), given.cache::<String>());
    cache.get(given.tenant, "a", || has("1")).await.unwrap();
    elsewhere.invalidate(given.tenant, "a").await.unwrap();
    assert_eq!(*cache.get(given.tenant, "a", || has("2")).await.unwrap().unwrap(), "2");
}

async fn an_invalidated_absence_is_loaded_again(given: Given) {
    let cache = given.cache::<String>();
    cache.get(given.tenant, "a", nothing).await.unwrap();
    cache.invalidate(given.tenant, "a").await.unwrap();
    assert_eq!(*cache.get(given.tenant, "a", || has("2")).await.unwrap().unwrap(), "2");
}

async fn a_failed_load_is_its_callers_and_leaves_nothing(given: Given) {
    let cache = given.cache::<String>();
    let failed = cache.get(given.tenant, "a", || async { Err("the source is down") }).await;
    assert_eq!(failed, Err("the source is down"));
    assert_eq!(*cache.get(given.tenant, "a", || has("1")).await.unwrap().unwrap(), "1");
    assert_eq!(*cache.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), "1");
}

async fn a_value_that_is_too_large_is_served_and_not_held(given: Given) {
    let cache = given.cache::<String>();
    let large = "x".repeat(1024 * 1024);
    assert_eq!(*cache.get(given.tenant, "a", || has(&large)).await.unwrap().unwrap(), large);
    assert_eq!(*cache.get(given.tenant, "a", || has("1")).await.unwrap().unwrap(), "1");
}

async fn what_cannot_be_decoded_is_loaded_again(given: Given) {
    let cache = given.cache_by::<String, Json>(POLICY);
    let of_another_release = given.cache_by::<u32, Json>(POLICY);
    cache.get(given.tenant, "a", || has("no number")).await.unwrap();
    let load = async || Ok::<_, Infallible>(Some(7));
    assert_eq!(*of_another_release.get(given.tenant, "a", load).await.unwrap().unwrap(), 7, "served");
    assert_eq!(*of_another_release.get(given.tenant, "a", load).await.unwrap().unwrap(), 7, "and removed, so it can be held");
    assert_eq!(*of_another_release.get(given.tenant, "a", not_asked).await.unwrap().unwrap(), 7);
}

async fn what_cannot_be_a_key_is_loaded_every_time(given: Given) {
    type Unwritable = std::collections::BTreeMap<Vec<u8>, u8>;
    let cache = weft_cache::Cache::<Unwritable, String>::new("test.things", POLICY, given.cached.clone()).unwrap();
    let key = Unwritable::from([(vec![1], 1)]);
    for value in ["1", "2"] {
        assert_eq!(*cache.get(given.tenant, &key, || has(value)).await.unwrap().unwrap(), value);
    }
    assert!(matches!(cache.invalidate(given.tenant, &key).await, Err(CacheError::Key(_))));
}
