//! The signing keys as a process holds them.
//!
//! Problem: every replica must sign with a key that every verifier can find, and reading the keys
//! for every login would double its work. Rule: a process reads the keys at most once a minute, and
//! whoever needs the very first one makes it, unless another replica was faster. Later keys are made
//! by the hourly job, an hour before they sign. Recovery: a copy that is too old or empty is read
//! again.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use weft_mesh::{
    Call,
    store::{Read, Store, Tx},
};

use crate::{
    error::AuthError,
    random,
    signing_key::{KeyRing, SigningKey},
    store::{self, SigningKeyRow},
};

/// How old a copy may be: far younger than the hour for which a key is listed before it signs.
const COPY_AGE: TimeDelta = TimeDelta::minutes(1);

pub(crate) struct Keys {
    store: Store,
    copy: RwLock<Option<Copy>>,
}

#[derive(Clone)]
struct Copy {
    read_time: DateTime<Utc>,
    ring: Arc<KeyRing>,
}

impl Keys {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, copy: RwLock::new(None) }
    }

    /// All keys; none before the first login. The call is in a system scope, as for all of these.
    pub(crate) async fn all(&self, call: &Call) -> Result<Arc<KeyRing>, AuthError> {
        let age = |copy: &Copy| call.now() - copy.read_time;
        let copy = self.copy.read().unwrap_or_else(PoisonError::into_inner).clone();
        match copy.filter(|copy| (TimeDelta::zero()..COPY_AGE).contains(&age(copy))) {
            Some(copy) => Ok(copy.ring),
            None => self.read(call).await,
        }
    }

    /// All keys, of which one at least can sign.
    pub(crate) async fn signing(&self, call: &Call) -> Result<Arc<KeyRing>, AuthError> {
        let ring = self.all(call).await?;
        if ring.signing(call.now()).is_some() {
            return Ok(ring);
        }
        self.make_due(call).await?;
        self.read(call).await
    }

    /// Makes the next key if it is due, and forgets those that nobody needs.
    pub(crate) async fn rotate(&self, call: &Call, token_ttl: TimeDelta) -> Result<(), AuthError> {
        self.make_due(call).await?;
        let first = self.read(call).await?.first_needed(call.now(), token_ttl);
        let forget = async |tx: Tx| Ok(tx.run(&store::DELETE_SIGNING_KEYS).bind(first).execute().await?);
        self.store.transact(call, forget).await?;
        Ok(())
    }

    async fn read(&self, call: &Call) -> Result<Arc<KeyRing>, AuthError> {
        let read_time = call.now();
        let rows = self.store.read(call, async |read: Read| Ok(store::list_signing_keys(&read).await?)).await?;
        let ring = Arc::new(ring(&rows)?);
        // An empty copy would hide the first key that another replica makes in the next minute.
        let copy = ring.signing(read_time).is_some().then(|| Copy { read_time, ring: Arc::clone(&ring) });
        *self.copy.write().unwrap_or_else(PoisonError::into_inner) = copy;
        Ok(ring)
    }

    // SECURITY: the seeds stand in the database as they are, readable to whoever reads it or a copy
    // of it. They will be sealed with a key from the configuration.
    async fn make_due(&self, call: &Call) -> Result<(), AuthError> {
        let (now, seed) = (call.now(), random::bytes::<32>()?);
        let make = async |tx: Tx| {
            let rows = store::list_signing_keys(&tx).await?;
            let Some((number, sign_from)) = ring(&rows)?.due(now) else { return Ok(()) };
            let run = tx.run(&store::INSERT_SIGNING_KEY).bind(number).bind(seed.to_vec()).bind(sign_from);
            // No row is changed if another replica was faster: then its key is the one.
            run.execute().await?;
            Ok(())
        };
        Ok(self.store.transact(call, make).await?)
    }
}

fn ring(rows: &[SigningKeyRow]) -> Result<KeyRing, AuthError> {
    let key = |row: &SigningKeyRow| SigningKey::from_seed(row.number, &row.seed, row.sign_from);
    Ok(KeyRing::new(rows.iter().map(key).collect::<Result<_, _>>()?))
}
