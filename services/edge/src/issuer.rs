//! What the auth domain publishes, as the edge knows it: the keys of access tokens, and the sessions that
//! ended before their tokens did.
//!
//! # Rule
//!
//! - Revocations are asked for every second. A session among them is refused until its last token has
//!   expired.
//! - Keys are fetched every five minutes, and when a token names one that is not known. That is done at
//!   most once a second, for a stranger can make up key ids; whoever comes in between waits for it.
//! - Waiting and staleness are measured on the machine's monotonic clock, not on the mesh's: they say how
//!   long nobody answered, and nothing about what time it is.
//!
//! # Recovery
//!
//! When the auth domain has not answered for half a minute, no session can be known to be good: calls with
//! credentials are refused as unavailable until it answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use uuid::Uuid;
use weft_access::{EDGE, KeySet};
use weft_call::{Call, CallBuilder, Clock, Error, MeshReason, Principal, Result, ServiceAccount, TenantId};
use weft_contracts_auth::{
    AuthClient, AuthReason, ExchangeApiKeyRequest, Key, ListKeysRequest, ListRevocationsRequest, Revocation,
};

use crate::settings::Settings;

const KEYS_INTERVAL: Duration = Duration::from_mins(5);
const KEYS_PAUSE: Duration = Duration::from_secs(1);
/// Between attempts until the auth domain has answered once: it may start beside the edge.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);
/// How long a request waits for that first answer.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// Clocks differ: a token is believed for that much longer, so its revocation must be remembered as long.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(10);

/// Whose an API key is.
#[derive(Debug)]
pub(crate) struct ApiKeyHolder {
    pub(crate) account: ServiceAccount,
    /// When the key ends, if it does.
    pub(crate) ends: Option<DateTime<Utc>>,
}

/// What the auth domain publishes.
pub(crate) struct Issuer {
    client: AuthClient,
    clock: Clock,
    interval: Duration,
    staleness: Duration,
    keys: ArcSwap<KeySet>,
    keys_asked: Mutex<Option<Instant>>,
    revoked: Lock<Revoked>,
    heard: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Revoked {
    sessions: HashMap<Uuid, DateTime<Utc>>,
    position: i64,
}

impl Issuer {
    pub(crate) fn new(client: AuthClient, clock: Clock, settings: &Settings) -> Self {
        Self {
            client,
            clock,
            interval: settings.revocation_interval,
            staleness: settings.revocation_staleness,
            keys: ArcSwap::default(),
            keys_asked: Mutex::default(),
            revoked: Lock::default(),
            heard: watch::Sender::new(None),
        }
    }

    /// Keeps asking, for as long as the edge runs.
    pub(crate) async fn keep_asking(&self) {
        loop {
            match self.ask_for_revocations().await {
                Ok(()) => _ = self.heard.send_replace(Some(Instant::now())),
                Err(error) => tracing::warn!(%error, "the auth domain did not list the sessions that ended"),
            }
            if self.keys_are_old()
                && let Err(error) = self.refresh_keys(&self.keys()).await
            {
                tracing::warn!(%error, "the auth domain did not list its keys");
            }
            let heard = self.heard.borrow().is_some();
            tokio::time::sleep(if heard { self.interval } else { FIRST_INTERVAL.min(self.interval) }).await;
        }
    }

    /// The keys at hand.
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// Fetches the keys anew for whoever has `seen` these and misses one. Where that was done a moment ago it
    /// waits: a key may be used the moment it is made. All who wait share one fetch.
    pub(crate) async fn refresh_keys(&self, seen: &Arc<KeySet>) -> Result<()> {
        let mut asked = self.keys_asked.lock().await;
        if !Arc::ptr_eq(seen, &self.keys()) {
            return Ok(());
        }
        // Before the first key there is nothing that the pause protects, and somebody's first login.
        if let Some(at) = *asked
            && !seen.is_empty()
        {
            tokio::time::sleep_until(at + KEYS_PAUSE).await;
        }
        *asked = Some(Instant::now());
        let listed = self.client.list_keys(&self.own_call(), ListKeysRequest {}).await?.into_message();
        self.keys.store(Arc::new(key_set(&listed.keys)));
        Ok(())
    }

    fn keys_are_old(&self) -> bool {
        // Whoever holds the lock is fetching them: revocations need not wait for that.
        self.keys_asked.try_lock().is_ok_and(|asked| asked.is_none_or(|at| at.elapsed() >= KEYS_INTERVAL))
    }

    /// Whose an API key is, by its digest.
    pub(crate) async fn exchange_key(&self, digest: [u8; 32]) -> Result<ApiKeyHolder> {
        let request = ExchangeApiKeyRequest { digest: digest.to_vec().into() };
        let told = match self.client.exchange_api_key(&self.own_call(), request).await {
            Ok(reply) => reply.into_message(),
            Err(error) if error.reason() == Some(AuthReason::ApiKeyInvalid) => {
                return Err(Error::new(MeshReason::CredentialsInvalid, "no such API key is good"));
            }
            Err(error) => return Err(error),
        };
        let unreadable = || Error::internal("the auth domain told of an API key without id, tenant, role or time");
        let id = |text: &str| Uuid::try_parse(text).map_err(|_| unreadable());
        // `ROLE_STAFF` is `staff` in tokens.
        let role = told.role().as_str_name().strip_prefix("ROLE_").map(str::to_ascii_lowercase);
        let role = role.filter(|role| role != "unspecified").ok_or_else(unreadable)?;
        let (id, tenant) = (id(&told.id)?, TenantId(id(&told.tenant_id)?));
        let account = ServiceAccount { id, tenant, roles: [role].into(), epoch: 0 };
        let ends = told.expire_time.as_ref().map(|time| instant(time).ok_or_else(unreadable)).transpose()?;
        Ok(ApiKeyHolder { account, ends })
    }

    /// Refuses credentials whose session has ended, or whose key was revoked, and all of them when that cannot be known.
    pub(crate) async fn check_session(&self, session: Uuid) -> Result<()> {
        let silent = || {
            let message = "it cannot be known now which sessions have ended";
            Error::new(MeshReason::UpstreamUnavailable, message).with_retry_after(Duration::from_secs(1))
        };
        let mut heard = self.heard.subscribe();
        let first = tokio::time::timeout(FIRST_WAIT, heard.wait_for(Option::is_some)).await;
        let at = first.ok().and_then(Result::ok).and_then(|at| *at).ok_or_else(silent)?;
        if at.elapsed() > self.staleness {
            return Err(silent());
        }
        if self.revoked().sessions.contains_key(&session) {
            return Err(Error::new(MeshReason::CredentialsInvalid, "the session has ended, or the key was revoked"));
        }
        Ok(())
    }

    async fn ask_for_revocations(&self) -> Result<()> {
        let after_position = self.revoked().position;
        let request = ListRevocationsRequest { after_position };
        let listed = self.client.list_revocations(&self.own_call(), request).await?.into_message();
        let now = self.clock.now();
        let mut revoked = self.revoked();
        for revocation in &listed.revocations {
            let (session, end) = read(revocation)?;
            revoked.sessions.insert(session, end);
        }
        revoked.position = listed.position;
        revoked.sessions.retain(|_, end| *end > now - CLOCK_SKEW);
        Ok(())
    }

    fn revoked(&self) -> std::sync::MutexGuard<'_, Revoked> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call on the edge's own account.
    fn own_call(&self) -> Call {
        let mut call = CallBuilder::new(self.clock.clone());
        call.principal = Principal::Workload(EDGE.into());
        call.build()
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("heard", &*self.heard.borrow()).finish_non_exhaustive()
    }
}

/// The keys that can be used; one that cannot is of a kind that weft does not sign with.
fn key_set(listed: &[Key]) -> KeySet {
    let mut keys = KeySet::default();
    for key in listed {
        if key.kty != "OKP" || key.crv != "Ed25519" || key.alg != "EdDSA" || key.r#use != "sig" {
            tracing::warn!(kid = key.kid, "a key of another kind than Ed25519 for signatures is left out");
        } else if let Err(error) = keys.add(&key.kid, &key.x) {
            tracing::warn!(%error, "a key is left out");
        }
    }
    keys
}

fn instant(time: &prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

fn read(revocation: &Revocation) -> Result<(Uuid, DateTime<Utc>)> {
    let session = Uuid::try_parse(&revocation.session_id);
    let end = revocation.expire_time.as_ref().and_then(instant);
    match (session, end) {
        (Ok(session), Some(end)) => Ok((session, end)),
        _ => Err(Error::internal("the auth domain listed a revocation without session or time")),
    }
}
