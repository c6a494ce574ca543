//! What the source of truth said, for a time.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use tracing::warn;
use weft_call::TenantId;

use crate::{
    CacheEntries, CacheError, Claim, Codec, EntryKey, Generation, Outcome, Protobuf,
    entries::VALUE_LIMIT,
    flight::Flights,
    key::{Kind, check_name},
    lifetime::jittered,
};

/// How long a cache may believe what the source said. Each entry lives up to a tenth shorter, by
/// chance, so that what was filled together is not loaded together.
#[derive(Clone, Copy, Debug)]
pub struct CachePolicy {
    /// How long a value is kept: from one millisecond to a year. It bounds how old an answer can be
    /// when an invalidation is lost.
    pub ttl: Duration,
    /// How long it is kept that there is none; not at all without it. Who creates a thing then has to
    /// invalidate its key.
    pub negative_ttl: Option<Duration>,
}

/// Values of one kind, kept under a tenant and a key of the tenant's.
///
/// The key must hold everything that the value depends on, the rights of who asks included: whoever
/// asks for the same key of the same tenant gets the same value.
pub struct Cache<K: ?Sized, V, C = Protobuf> {
    name: &'static str,
    policy: CachePolicy,
    entries: Arc<dyn CacheEntries>,
    flights: Flights<V>,
    types: PhantomData<fn(&K) -> C>,
}

enum Look<V> {
    Held(Option<Arc<V>>),
    Missed(Generation),
    Lost,
}

impl<K: Serialize + ?Sized, V: Send + Sync, C: Codec<V>> Cache<K, V, C> {
    /// A cache of this name: `<domain>.<plural>`. Whoever uses the same name shares its entries, so
    /// two types never have one name.
    pub fn new(name: &'static str, policy: CachePolicy, entries: Arc<dyn CacheEntries>) -> Result<Self, CacheError> {
        check_name(name)?;
        Ok(Self { name, policy, entries, flights: Flights::new(), types: PhantomData })
    }

    /// What is held, or else what `load` says, which is kept. `None` means that the source has no
    /// such thing. Concurrent callers share one load; a load must not ask for its own key.
    ///
    /// Without the shared memory every call loads. The only errors are those of `load`.
    pub async fn get<E, F>(&self, tenant: TenantId, key: &K, load: impl FnOnce() -> F) -> Result<Option<Arc<V>>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let entry = match self.entry(tenant, key) {
            Ok(entry) => entry,
            Err(error) => {
                warn!(cache = self.name, error = &error as &dyn std::error::Error, "a key cannot be cached");
                return Ok(load().await?.map(Arc::new));
            }
        };
        let generation = match self.look(&entry).await {
            Look::Held(value) => return Ok(value),
            Look::Missed(generation) => Some(generation),
            Look::Lost => None,
        };
        let seat = self.flights.board((entry.clone(), generation));
        seat.value(|| self.load(&entry, generation, load)).await
    }

    /// Forgets what the source said about a key, and keeps out what it is saying right now. To be
    /// called after the change has been committed; what is loaded before that is the old value.
    ///
    /// An error means that other processes may still see the old value until its time is over: repeat.
    pub async fn invalidate(&self, tenant: TenantId, key: &K) -> Result<(), CacheError> {
        let entry = self.entry(tenant, key)?;
        self.flights.close(&entry);
        self.entries.invalidate(&entry).await
    }

    async fn load<E, F>(
        &self,
        entry: &EntryKey,
        generation: Option<Generation>,
        load: impl FnOnce() -> F,
    ) -> Result<Option<Arc<V>>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        // Another flight may have filled the entry after this one's callers had looked.
        let generation = match generation {
            None => None,
            Some(_) => match self.look(entry).await {
                Look::Held(value) => return Ok(value),
                Look::Missed(generation) => Some(generation),
                Look::Lost => None,
            },
        };
        let value = load().await?.map(Arc::new);
        if let Some(generation) = generation {
            self.fill(entry, generation, value.as_deref()).await;
        }
        Ok(value)
    }

    async fn look(&self, entry: &EntryKey) -> Look<V> {
        let decode = |bytes: Bytes| C::decode(&bytes).map_err(CacheError::from);
        let held = self.entries.claim(entry).await.and_then(|claim| match claim {
            Claim::Missed(generation) => Ok(Look::Missed(generation)),
            Claim::Held(Outcome::Absent) => Ok(Look::Held(None)),
            Claim::Held(Outcome::Present(bytes)) => decode(bytes).map(|value| Look::Held(Some(Arc::new(value)))),
        });
        match held {
            Ok(look) => look,
            // The backend has logged it.
            Err(error) if error.is_unavailable() => Look::Lost,
            Err(error) => {
                warn!(cache = self.name, error = &error as &dyn std::error::Error, "an entry cannot be read and is removed");
                // If it stays, it is met and removed again.
                let _ = self.entries.invalidate(entry).await;
                Look::Lost
            }
        }
    }

    /// Keeps what was loaded. What cannot be kept is loaded again next time.
    async fn fill(&self, entry: &EntryKey, generation: Generation, value: Option<&V>) {
        let (outcome, ttl) = match (value.map(C::encode), self.policy.negative_ttl) {
            (Some(Ok(bytes)), _) if bytes.len() <= VALUE_LIMIT => (Outcome::Present(bytes.into()), self.policy.ttl),
            (Some(Ok(bytes)), _) => {
                warn!(cache = self.name, size = bytes.len(), limit = VALUE_LIMIT, "a value is too large to be cached");
                return;
            }
            (Some(Err(error)), _) => {
                warn!(cache = self.name, error = &error as &dyn std::error::Error, "a value cannot be cached");
                return;
            }
            (None, Some(ttl)) => (Outcome::Absent, ttl),
            (None, None) => return,
        };
        if let Err(error) = self.entries.fill(entry, generation, outcome, jittered(ttl)).await
            && !error.is_unavailable()
        {
            warn!(cache = self.name, error = &error as &dyn std::error::Error, "a value was not cached");
        }
    }

    fn entry(&self, tenant: TenantId, key: &K) -> Result<EntryKey, CacheError> {
        EntryKey::new(Kind::Cache, self.name, tenant, key)
    }
}

impl<K: ?Sized, V, C> fmt::Debug for Cache<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        convert::Infallible,
        sync::atomic::{AtomicBool, Ordering},
    };

    use uuid::Uuid;

    use super::*;
    use crate::Answer;

    /// Another caller's flight lands between two looks.
    #[derive(Default)]
    struct FilledMeanwhile(AtomicBool);

    impl CacheEntries for FilledMeanwhile {
        fn claim<'a>(&'a self, _: &'a EntryKey) -> Answer<'a, Claim> {
            let filled = self.0.swap(true, Ordering::Relaxed);
            let held = || Claim::Held(Outcome::Present(Protobuf::encode(&"theirs".to_owned()).unwrap().into()));
            Box::pin(async move { Ok(if filled { held() } else { Claim::Missed(Generation::new()) }) })
        }

        fn fill<'a>(&'a self, _: &'a EntryKey, _: Generation, _: Outcome, _: Duration) -> Answer<'a, bool> {
            Box::pin(async { Ok(false) })
        }

        fn invalidate<'a>(&'a self, _: &'a EntryKey) -> Answer<'a, ()> {
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test]
    async fn what_was_filled_after_a_first_look_is_not_loaded_again() {
        let policy = CachePolicy { ttl: Duration::from_mins(1), negative_ttl: None };
        let cache = Cache::<str, String>::new("test.things", policy, Arc::new(FilledMeanwhile::default())).unwrap();
        let load = || async { Ok::<_, Infallible>(Some("ours".to_owned())) };
        assert_eq!(*cache.get(TenantId(Uuid::nil()), "a", load).await.unwrap().unwrap(), "theirs");
    }
}
