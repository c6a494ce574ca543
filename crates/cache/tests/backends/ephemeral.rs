//! Short-lived values: sessions, presence.

use std::time::Duration;

use weft_cache::CacheError;

use crate::given::{Given, LIMIT, a_tenant, on_every_backend};

on_every_backend! {
    a_value_lives_until_it_is_removed
    a_value_expires
    a_touched_value_lives_on
    what_was_removed_is_not_revived_by_an_update
    a_value_is_not_inserted_twice
    tenants_do_not_see_each_others_values
    a_value_that_is_too_large_is_refused
}

/// Redis keeps these by its own clock, so they are waited for.
const SHORT: Duration = Duration::from_secs(1);

async fn a_value_lives_until_it_is_removed(given: Given) {
    let sessions = given.sessions();
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap(), None);
    assert!(sessions.insert(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap());
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap().as_deref(), Some("ada"));
    assert!(sessions.replace(given.tenant, "s", &"grace".to_owned(), LIMIT).await.unwrap());
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap().as_deref(), Some("grace"));
    assert!(sessions.remove(given.tenant, "s").await.unwrap());
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap(), None);
    assert!(!sessions.remove(given.tenant, "s").await.unwrap());
}

async fn a_value_expires(given: Given) {
    let sessions = given.sessions();
    sessions.insert(given.tenant, "s", &"ada".to_owned(), SHORT).await.unwrap();
    given.pass(SHORT).await;
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap(), None);
    assert!(!sessions.touch(given.tenant, "s", LIMIT).await.unwrap());
    assert!(!sessions.remove(given.tenant, "s").await.unwrap());
    assert!(sessions.insert(given.tenant, "s", &"grace".to_owned(), LIMIT).await.unwrap());
}

async fn a_touched_value_lives_on(given: Given) {
    let sessions = given.sessions();
    sessions.insert(given.tenant, "s", &"ada".to_owned(), SHORT).await.unwrap();
    assert!(sessions.touch(given.tenant, "s", LIMIT).await.unwrap());
    given.pass(SHORT).await;
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap().as_deref(), Some("ada"));
}

async fn what_was_removed_is_not_revived_by_an_update(given: Given) {
    let sessions = given.sessions();
    sessions.insert(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap();
    sessions.remove(given.tenant, "s").await.unwrap();
    assert!(!sessions.replace(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap());
    assert!(!sessions.touch(given.tenant, "s", LIMIT).await.unwrap());
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap(), None);
}

async fn a_value_is_not_inserted_twice(given: Given) {
    let sessions = given.sessions();
    sessions.insert(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap();
    assert!(!sessions.insert(given.tenant, "s", &"grace".to_owned(), LIMIT).await.unwrap());
    assert_eq!(sessions.get(given.tenant, "s").await.unwrap().as_deref(), Some("ada"));
}

async fn tenants_do_not_see_each_others_values(given: Given) {
    let (sessions, other) = (given.sessions(), a_tenant());
    sessions.insert(given.tenant, "s", &"ada".to_owned(), LIMIT).await.unwrap();
    assert_eq!(sessions.get(other, "s").await.unwrap(), None);
    assert!(!sessions.remove(other, "s").await.unwrap());
    assert!(sessions.get(given.tenant, "s").await.unwrap().is_some());
}

async fn a_value_that_is_too_large_is_refused(given: Given) {
    let large = "x".repeat(1024 * 1024);
    let refused = given.sessions().insert(given.tenant, "s", &large, LIMIT).await;
    assert!(matches!(refused, Err(CacheError::TooLarge { size, limit }) if size > limit));
}
