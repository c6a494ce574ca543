//! Short-lived values in Redis.

use std::time::Duration;

use bytes::Bytes;
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions};

use super::Redis;
use crate::{Answer, CacheError, EntryKey, EphemeralEntries, lifetime::millis};

impl Redis {
    async fn set(&self, key: &EntryKey, value: Bytes, ttl: Duration, only_if: ExistenceCheck) -> Result<bool, CacheError> {
        let options = SetOptions::default().conditional_set(only_if).with_expiration(SetExpiry::PX(millis(ttl)));
        // Redis says OK, or nothing if the condition does not hold.
        let set: Option<String> =
            self.ask(|mut redis| async move { redis.set_options(key.as_str(), &value[..], options).await }).await?;
        Ok(set.is_some())
    }
}

impl EphemeralEntries for Redis {
    fn get<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            let held: Option<Vec<u8>> = self.ask(|mut redis| async move { redis.get(key.as_str()).await }).await?;
            Ok(held.map(Bytes::from))
        })
    }

    fn insert<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool> {
        Box::pin(self.set(key, value, ttl, ExistenceCheck::NX))
    }

    fn replace<'a>(&'a self, key: &'a EntryKey, value: Bytes, ttl: Duration) -> Answer<'a, bool> {
        Box::pin(self.set(key, value, ttl, ExistenceCheck::XX))
    }

    fn touch<'a>(&'a self, key: &'a EntryKey, ttl: Duration) -> Answer<'a, bool> {
        let ttl = i64::try_from(millis(ttl)).unwrap_or(i64::MAX);
        Box::pin(self.ask(move |mut redis| async move { redis.pexpire(key.as_str(), ttl).await }))
    }

    fn remove<'a>(&'a self, key: &'a EntryKey) -> Answer<'a, bool> {
        Box::pin(self.ask(move |mut redis| async move { redis.del(key.as_str()).await }))
    }
}
