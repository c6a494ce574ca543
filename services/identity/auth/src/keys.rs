//! The signing keys as a process holds them.
//!
//! Problem: every replica must sign with a key that every verifier can find, and reading the keys
//! for every login would double its work. Rule: a process reads the keys at most once a minute, and
//! whoever needs the very first one makes it, unless another replica was faster. Later keys are made
//! by the hourly job, an hour before they sign. Recovery: a copy that is too old or empty is read
//! again.
//!
//! The seeds stand sealed in the database, each bound to its number. One that was sealed by an older
//! key of the installation, or stands there from before there was one, is sealed anew by the hourly job.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use weft_mesh::{
    Call,
    seal::{SealError, Sealer, is_sealed},
    store::{Read, Store, Tx},
};
use zeroize::Zeroizing;

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
    seeds: Seeds,
    copy: RwLock<Option<Copy>>,
}

#[derive(Clone)]
struct Copy {
    read_time: DateTime<Utc>,
    ring: Arc<KeyRing>,
}

impl Keys {
    pub(crate) fn new(store: Store, sealer: Option<Sealer>) -> Self {
        Self { store, seeds: Seeds(sealer), copy: RwLock::new(None) }
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
        self.seal_anew(call).await
    }

    /// Seals by the newest key of the installation what is not.
    async fn seal_anew(&self, call: &Call) -> Result<(), AuthError> {
        let seal = async |tx: Tx| {
            for row in store::list_signing_keys(&tx).await? {
                if let Some(seed) = self.seeds.renewed(&row)? {
                    tx.run(&store::SET_SEED).bind(row.number).bind(seed).bind(row.seed).execute().await?;
                }
            }
            Ok(())
        };
        Ok(self.store.transact(call, seal).await?)
    }

    async fn read(&self, call: &Call) -> Result<Arc<KeyRing>, AuthError> {
        let read_time = call.now();
        let rows = self.store.read(call, async |read: Read| Ok(store::list_signing_keys(&read).await?)).await?;
        let ring = Arc::new(self.seeds.ring(&rows)?);
        // An empty copy would hide the first key that another replica makes in the next minute.
        let copy = ring.signing(read_time).is_some().then(|| Copy { read_time, ring: Arc::clone(&ring) });
        *self.copy.write().unwrap_or_else(PoisonError::into_inner) = copy;
        Ok(ring)
    }

    async fn make_due(&self, call: &Call) -> Result<(), AuthError> {
        let (now, seed) = (call.now(), random::bytes::<32>()?);
        let make = async |tx: Tx| {
            let rows = store::list_signing_keys(&tx).await?;
            let Some((number, sign_from)) = self.seeds.ring(&rows)?.due(now) else { return Ok(()) };
            let run =
                tx.run(&store::INSERT_SIGNING_KEY).bind(number).bind(self.seeds.closed(number, seed.as_slice())?).bind(sign_from);
            // No row is changed if another replica was faster: then its key is the one.
            run.execute().await?;
            Ok(())
        };
        Ok(self.store.transact(call, make).await?)
    }
}

/// How seeds stand in the database: sealed, or as they are where the installation has no key.
struct Seeds(Option<Sealer>);

impl Seeds {
    fn ring(&self, rows: &[SigningKeyRow]) -> Result<KeyRing, AuthError> {
        let key = |row: &SigningKeyRow| {
            let seed = self.opened(row)?;
            Ok(SigningKey::from_seed(row.number, &seed, row.sign_from)?)
        };
        Ok(KeyRing::new(rows.iter().map(key).collect::<Result<_, AuthError>>()?))
    }

    fn opened(&self, row: &SigningKeyRow) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        if !is_sealed(&row.seed) {
            return Ok(Zeroizing::new(row.seed.clone()));
        }
        let sealer = self.0.as_ref().ok_or(SealError::KeyUnknown)?;
        Ok(sealer.open(&place(row.number), &row.seed)?)
    }

    fn closed(&self, number: i64, seed: &[u8]) -> Result<Vec<u8>, AuthError> {
        match &self.0 {
            Some(sealer) => Ok(sealer.seal(&place(number), seed)?),
            None => Ok(seed.to_vec()),
        }
    }

    /// The row's seed as it should stand in the database, if it does not.
    fn renewed(&self, row: &SigningKeyRow) -> Result<Option<Vec<u8>>, AuthError> {
        if self.0.as_ref().is_none_or(|sealer| sealer.is_current(&row.seed)) {
            return Ok(None);
        }
        self.closed(row.number, &self.opened(row)?).map(Some)
    }
}

/// What a seed is bound to.
fn place(number: i64) -> String {
    format!("auth/signing_keys/{number}")
}
