//! Values that have no other home and live for a stated time: sessions, presence.
//!
//! Rule: absence means no. A value that was removed stays removed: only [`Ephemeral::insert`] makes
//! one, and updates change what is there. Whoever cannot ask gets an error, never a value.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use weft_call::TenantId;

use crate::{
    CacheError, Codec, EntryKey, EphemeralEntries, Protobuf,
    entries::VALUE_LIMIT,
    key::{Kind, check_name},
};

/// Short-lived values of one kind, kept under a tenant and a key of the tenant's. Times to live are
/// kept within one millisecond and a year.
pub struct Ephemeral<K: ?Sized, V, C = Protobuf> {
    name: &'static str,
    entries: Arc<dyn EphemeralEntries>,
    types: PhantomData<fn(&K, V) -> C>,
}

impl<K: Serialize + ?Sized, V, C: Codec<V>> Ephemeral<K, V, C> {
    /// The values of this name: `<domain>.<plural>`. Whoever uses the same name shares them.
    pub fn new(name: &'static str, entries: Arc<dyn EphemeralEntries>) -> Result<Self, CacheError> {
        check_name(name)?;
        Ok(Self { name, entries, types: PhantomData })
    }

    /// The value, if its time is not over and nobody removed it.
    pub async fn get(&self, tenant: TenantId, key: &K) -> Result<Option<V>, CacheError> {
        let held = self.entries.get(&self.entry(tenant, key)?).await?;
        Ok(held.map(|bytes| C::decode(&bytes)).transpose()?)
    }

    /// Keeps a value where there is none; says whether it did.
    pub async fn insert(&self, tenant: TenantId, key: &K, value: &V, ttl: Duration) -> Result<bool, CacheError> {
        self.entries.insert(&self.entry(tenant, key)?, Self::encode(value)?, ttl).await
    }

    /// Changes a value where there is one, and lets it live for `ttl` from now; says whether it did.
    pub async fn replace(&self, tenant: TenantId, key: &K, value: &V, ttl: Duration) -> Result<bool, CacheError> {
        self.entries.replace(&self.entry(tenant, key)?, Self::encode(value)?, ttl).await
    }

    /// Lets a value live for `ttl` from now; says whether there is one.
    pub async fn touch(&self, tenant: TenantId, key: &K, ttl: Duration) -> Result<bool, CacheError> {
        self.entries.touch(&self.entry(tenant, key)?, ttl).await
    }

    /// Removes a value; says whether there was one. An error means that it may still be there: repeat.
    pub async fn remove(&self, tenant: TenantId, key: &K) -> Result<bool, CacheError> {
        self.entries.remove(&self.entry(tenant, key)?).await
    }

    fn entry(&self, tenant: TenantId, key: &K) -> Result<EntryKey, CacheError> {
        EntryKey::new(Kind::Ephemeral, self.name, tenant, key)
    }

    fn encode(value: &V) -> Result<Bytes, CacheError> {
        let bytes = C::encode(value)?;
        if bytes.len() > VALUE_LIMIT {
            return Err(CacheError::TooLarge { size: bytes.len(), limit: VALUE_LIMIT });
        }
        Ok(bytes.into())
    }
}

impl<K: ?Sized, V, C> fmt::Debug for Ephemeral<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ephemeral").field("name", &self.name).finish_non_exhaustive()
    }
}
