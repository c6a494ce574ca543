//! From a bearer token or an API key to an assertion that domains believe.
//!
//! An API key, in `X-API-Key`, is looked up by the auth domain by its SHA-256, at most twice a minute: what a stranger makes
//! up costs a look-up too, so an address has only so many. One that is revoked is refused as soon as the edge hears of it.
//!
//! A token is verified when it is first seen. From then until it ends, a look-up by its SHA-256 gives the
//! assertion that stands for it, so that on the way of most requests no signature is made or checked. An
//! assertion is handed out for half of its life only: a call under way may still need the other half; and
//! only while the certificate that signed it is in use, since a root may be on its way out with the old one.

use std::{net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, header};
use moka::{policy::EvictionPolicy, sync::Cache};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use weft_access::{AssertionError, AssertionSigner, UserToken, UserTokenError, subscriber};
use weft_cache::{CounterKey, CounterScope, Counters as _, InProcess, Rate, Taken};
use weft_call::{Assertion, Clock, Error, MeshReason, MethodContract, Principal, Result};
use weft_workload_identity::Identity;

use crate::{arrival, issuer::Issuer};

/// How long an assertion is handed out.
const HANDED_OUT: TimeDelta = TimeDelta::seconds(30);
/// Memory for verified tokens; the least recently used ones go first.
const MEMORY_BYTES: u64 = 32 * 1024 * 1024;

/// Where programs show their keys.
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What every key begins with.
const PREFIX: &str = "weft_key_";
/// No key is longer, in bytes.
const LONGEST_KEY: usize = 128;
/// Look-ups of keys a second that an address may cause, and ten times as many at once. Who has a good key needs two a minute.
const LOOKUPS: u32 = 10;

/// What a client shows to say who it is.
enum Shown<'h> {
    Token(&'h str),
    Key(&'h str),
}

/// On whose account a call is made, and what proves it to domains.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) principal: Principal,
    pub(crate) assertion: Assertion,
}

/// Exchanges bearer tokens for assertions.
#[derive(Debug)]
pub(crate) struct Authenticator {
    signer: AssertionSigner,
    issuer: Option<Arc<Issuer>>,
    clock: Clock,
    verified: Cache<[u8; 32], Arc<Verified>>,
    lookups: InProcess,
}

#[derive(Debug)]
struct Verified {
    /// What is revoked: the token's session, or the key.
    session: Uuid,
    authority: Authority,
    signed_with: Arc<Identity>,
    handed_out_until: DateTime<Utc>,
}

impl Authenticator {
    /// Without an issuer nobody has credentials.
    pub(crate) fn new(signer: AssertionSigner, issuer: Option<Arc<Issuer>>, clock: Clock) -> Self {
        let verified = Cache::builder()
            .max_capacity(MEMORY_BYTES)
            .weigher(|_, verified: &Arc<Verified>| verified.memory())
            // New tokens must get in: by frequency, ended ones would keep their place.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { signer, issuer, clock, verified, lookups: InProcess::new() }
    }

    /// On whose account the method may be called; nobody's if it is public, whatever the header says.
    pub(crate) async fn authority(
        &self,
        method: &MethodContract,
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<Option<Authority>> {
        if method.access.public {
            return Ok(None);
        }
        let shown = Shown::of(headers)?;
        let Some(issuer) = &self.issuer else {
            return Err(Error::new(MeshReason::CredentialsInvalid, "nobody issues credentials in this mesh"));
        };
        let digest: [u8; 32] = Sha256::digest(shown.text()).into();
        if let Some(known) = self.verified.get(&digest)
            && self.clock.now() < known.handed_out_until
            && self.signer.identity().is_ok_and(|identity| Arc::ptr_eq(&identity, &known.signed_with))
        {
            issuer.check_session(known.session).await?;
            return Ok(Some(known.authority.clone()));
        }
        let (principal, session, ends) = match shown {
            Shown::Token(token) => {
                let token = self.verify(issuer, token).await?;
                let session = token.user.session;
                (Principal::User(token.user), session, token.expires_at)
            }
            Shown::Key(_) => {
                self.count_lookup(client).await?;
                let holder = issuer.exchange_key(digest).await?;
                let session = holder.account.id;
                (Principal::ServiceAccount(holder.account), session, holder.ends.unwrap_or(DateTime::<Utc>::MAX_UTC))
            }
        };
        issuer.check_session(session).await?;
        let verified = Arc::new(self.vouch(principal, session, ends)?);
        self.verified.insert(digest, Arc::clone(&verified));
        Ok(Some(verified.authority.clone()))
    }

    async fn verify(&self, issuer: &Issuer, token: &str) -> Result<UserToken> {
        let keys = issuer.keys();
        match keys.verify(token, self.clock.now()) {
            // Keys may have been rotated since they were fetched.
            Err(UserTokenError::UnknownKey) => {
                issuer.refresh_keys(&keys).await?;
                issuer.keys().verify(token, self.clock.now()).map_err(Error::from)
            }
            result => result.map_err(Error::from),
        }
    }

    /// Whoever makes keys up is soon told to wait.
    async fn count_lookup(&self, client: IpAddr) -> Result<()> {
        let rate = Rate::new(LOOKUPS, Duration::from_secs(1), LOOKUPS * 10).map_err(Error::internal)?;
        let key = CounterKey::new("edge.key_lookups", CounterScope::Mesh, &subscriber(client).to_string());
        match self.lookups.take(&key.map_err(Error::internal)?, rate).await.map_err(Error::internal)? {
            Taken::Yes { .. } => Ok(()),
            Taken::Wait(wait) => {
                Err(Error::new(MeshReason::RateLimited, "too many unknown API keys come from this address")
                    .with_retry_after(wait))
            }
        }
    }

    fn vouch(&self, principal: Principal, session: Uuid, ends: DateTime<Utc>) -> Result<Verified> {
        let now = self.clock.now();
        // Before it signs: should it change in between, the assertion is made again.
        let signed_with = self.signer.identity().map_err(Error::internal)?;
        let assertion = self.signer.sign(&principal, ends, now).map_err(|error| match error {
            AssertionError::CredentialsExpired => Error::from(UserTokenError::Expired),
            AssertionError::TooLong(_) => Error::new(MeshReason::CredentialsInvalid, "the credentials name too many roles"),
            error => Error::internal(error),
        })?;
        let handed_out_until = (now + HANDED_OUT).min(ends);
        Ok(Verified { session, authority: Authority { principal, assertion }, signed_with, handed_out_until })
    }
}

impl Verified {
    /// About how many bytes it takes, its key and the map's own share included.
    fn memory(&self) -> u32 {
        const ENTRY: usize = 768;
        let roles: usize = self.authority.principal.roles().iter().map(|role| size_of::<String>() + role.len()).sum();
        u32::try_from(ENTRY + roles + self.authority.assertion.header().len()).unwrap_or(u32::MAX)
    }
}

impl<'h> Shown<'h> {
    fn of(headers: &'h HeaderMap) -> Result<Self> {
        let unusable = || Error::new(MeshReason::CredentialsInvalid, "the API key is none");
        let key = arrival::only(headers, &API_KEY).map_err(|_| unusable())?;
        match (key, bearer(headers)?) {
            (None, None) => Err(Error::new(MeshReason::CredentialsMissing, "this call needs an access token or an API key")),
            (None, Some(token)) => Ok(Self::Token(token)),
            (Some(key), None) if key.starts_with(PREFIX) && key.len() <= LONGEST_KEY => Ok(Self::Key(key)),
            (Some(_), None) => Err(unusable()),
            (Some(_), Some(_)) => {
                Err(Error::new(MeshReason::CredentialsInvalid, "a call has an access token or an API key, not both"))
            }
        }
    }

    fn text(&self) -> &'h str {
        match self {
            Self::Token(text) | Self::Key(text) => text,
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1), if the header came.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let wrong = |_| Error::new(MeshReason::CredentialsInvalid, "the authorization header cannot be read");
    let Some(text) = arrival::only(headers, &header::AUTHORIZATION).map_err(wrong)? else { return Ok(None) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim_start_matches(' '))),
        _ => Err(Error::new(MeshReason::CredentialsInvalid, "the authorization must be a bearer token")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        Ok(bearer(&headers)?.map(str::to_owned))
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["Bearer abc"]).unwrap().as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc"]).unwrap().as_deref(), Some("abc"));
    }

    #[test]
    fn other_schemes_and_a_second_header_are_refused() {
        for values in [&["Basic abc"][..], &["Bearer"], &["Bearer a", "Bearer b"], &["Bearer é"]] {
            let error = read(values).unwrap_err();
            assert_eq!(error.reason(), Some(MeshReason::CredentialsInvalid), "{values:?}");
        }
    }
}
