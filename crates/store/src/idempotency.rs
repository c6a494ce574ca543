//! The records by which a repeat of a KEYED call gets the first one's answer.
//!
//! Problem: a client that got no answer sends its request again. Rule: the key is inserted first and
//! the answer last, in the transaction that makes the change, so that both are there or neither. A
//! twin that comes at the same time waits at the key; on PostgreSQL it then conflicts, and finds the
//! answer when it runs again. Records live for 48 hours at least.

use chrono::{DateTime, TimeDelta, Utc};
use weft_call::{Call, Digest, Idempotency};

use crate::{Read, StoreError};

/// How long a record is kept.
const KEPT: TimeDelta = TimeDelta::hours(48);

/// Records that one transaction deletes; the statements below say the same.
pub(crate) const BATCH: u64 = 500;

crate::statements! {
    /// Nothing is inserted if the key was used.
    either CLAIM_KEY = "INSERT INTO weft_idempotency_key (tenant_id, principal, method, idempotency_key, digest, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    either KEEP_ANSWER = "INSERT INTO weft_idempotency_answer \
        (tenant_id, principal, method, idempotency_key, answer, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    either FIND_ANSWER = "SELECT k.digest, a.answer FROM weft_idempotency_key k JOIN weft_idempotency_answer a \
        ON a.tenant_id = k.tenant_id AND a.principal = k.principal AND a.method = k.method \
        AND a.idempotency_key = k.idempotency_key \
        WHERE k.tenant_id = $1 AND k.principal = $2 AND k.method = $3 AND k.idempotency_key = $4";
    /// By the keys' age, as the next: an answer goes with its key.
    system EXPIRE_ANSWERS = "DELETE FROM weft_idempotency_answer WHERE (tenant_id, principal, method, idempotency_key) IN \
        (SELECT tenant_id, principal, method, idempotency_key FROM weft_idempotency_key WHERE created_at < $1 \
        ORDER BY created_at, tenant_id, principal, method, idempotency_key LIMIT 500)";
    system EXPIRE_KEYS = "DELETE FROM weft_idempotency_key WHERE (tenant_id, principal, method, idempotency_key) IN \
        (SELECT tenant_id, principal, method, idempotency_key FROM weft_idempotency_key WHERE created_at < $1 \
        ORDER BY created_at, tenant_id, principal, method, idempotency_key LIMIT 500)";
}

/// What marks repeats of one call. The tenant is bound by the store.
pub(crate) struct Key {
    principal: String,
    method: &'static str,
    key: String,
    digest: Digest,
    now: DateTime<Utc>,
}

pub(crate) enum Claim {
    /// This is the first call with the key.
    First,
    /// This is a repeat, and this is the answer.
    Repeat(Vec<u8>),
}

impl Key {
    /// The key of a KEYED call that came with one.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        #[cfg(feature = "sabotage")]
        if weft_sabotage::Sabotage::NoKeys.is_on() {
            return None;
        }
        let method = call.method().filter(|method| method.idempotency == Idempotency::Keyed)?;
        Some(Self {
            principal: call.principal().to_string(),
            method: method.path,
            key: call.idempotency_key()?.as_str().to_owned(),
            digest: call.digest()?,
            now: call.now(),
        })
    }

    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    pub(crate) async fn claim(&self, read: &Read) -> Result<Claim, StoreError> {
        let claim = read.run(&CLAIM_KEY).bind(&self.principal).bind(self.method).bind(&self.key);
        if claim.bind(self.digest.0.as_slice()).bind(self.now).execute().await? == 1 {
            return Ok(Claim::First);
        }
        // Not found: the record was deleted in between, so the key is free again.
        self.find(read).await?.map(Claim::Repeat).ok_or(StoreError::Conflict)
    }

    pub(crate) async fn find(&self, read: &Read) -> Result<Option<Vec<u8>>, StoreError> {
        let find = read.run(&FIND_ANSWER).bind(&self.principal).bind(self.method).bind(&self.key);
        match find.fetch_optional::<(Vec<u8>, Vec<u8>)>().await? {
            Some((digest, _)) if digest != self.digest.0 => Err(StoreError::KeyReused),
            found => Ok(found.map(|(_, answer)| answer)),
        }
    }

    pub(crate) async fn keep(&self, read: &Read, answer: Vec<u8>) -> Result<(), StoreError> {
        let keep = read.run(&KEEP_ANSWER).bind(&self.principal).bind(self.method).bind(&self.key);
        keep.bind(answer).bind(self.now).execute().await.map(drop)
    }
}

/// Deletes one batch of old records and returns how many there were.
pub(crate) async fn expire(read: &Read, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let oldest = now - KEPT;
    read.run(&EXPIRE_ANSWERS).bind(oldest).execute().await?;
    read.run(&EXPIRE_KEYS).bind(oldest).execute().await
}
