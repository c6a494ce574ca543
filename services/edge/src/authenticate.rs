//! From a bearer token to an assertion that domains believe.
//!
//! A token is verified when it is first seen. From then until it ends, a look-up by its SHA-256 gives the
//! assertion that stands for it, so that on the way of most requests no signature is made or checked. An
//! assertion is handed out for half of its life only: a call under way may still need the other half; and
//! only while the certificate that signed it is in use, since a root may be on its way out with the old one.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, header};
use moka::{policy::EvictionPolicy, sync::Cache};
use sha2::{Digest as _, Sha256};
use weft_access::{AssertionError, AssertionSigner, UserToken, UserTokenError};
use weft_call::{Clock, Error, MeshReason, MethodContract, Principal, Result};
use weft_workload_identity::Identity;

use crate::{arrival, issuer::Issuer};

/// How long an assertion is handed out.
const HANDED_OUT: TimeDelta = TimeDelta::seconds(30);
/// Memory for verified tokens; the least recently used ones go first.
const MEMORY_BYTES: u64 = 32 * 1024 * 1024;

/// On whose account a call is made, and what proves it to domains.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) principal: Principal,
    pub(crate) assertion: Bytes,
}

/// Exchanges bearer tokens for assertions.
#[derive(Debug)]
pub(crate) struct Authenticator {
    signer: AssertionSigner,
    issuer: Option<Arc<Issuer>>,
    clock: Clock,
    verified: Cache<[u8; 32], Arc<Verified>>,
}

#[derive(Debug)]
struct Verified {
    token: UserToken,
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
        Self { signer, issuer, clock, verified }
    }

    /// On whose account the method may be called; nobody's if it is public, whatever the header says.
    pub(crate) async fn authority(&self, method: &MethodContract, headers: &HeaderMap) -> Result<Option<Authority>> {
        if method.access.public {
            return Ok(None);
        }
        let missing = || Error::new(MeshReason::CredentialsMissing, "this call needs an access token");
        let token = bearer(headers)?.ok_or_else(missing)?;
        let Some(issuer) = &self.issuer else {
            return Err(Error::new(MeshReason::CredentialsInvalid, "nobody issues access tokens in this mesh"));
        };
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.verified.get(&digest)
            && self.clock.now() < known.handed_out_until
            && self.signer.identity().is_ok_and(|identity| Arc::ptr_eq(&identity, &known.signed_with))
        {
            issuer.check_session(&known.token).await?;
            return Ok(Some(known.authority.clone()));
        }
        let token = self.verify(issuer, token).await?;
        issuer.check_session(&token).await?;
        let verified = Arc::new(self.vouch(token)?);
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

    fn vouch(&self, token: UserToken) -> Result<Verified> {
        let now = self.clock.now();
        let principal = Principal::User(token.user.clone());
        // Before it signs: should it change in between, the assertion is made again.
        let signed_with = self.signer.identity().map_err(Error::internal)?;
        let assertion = self.signer.sign(&principal, token.expires_at, now).map_err(|error| match error {
            AssertionError::CredentialsExpired => Error::from(UserTokenError::Expired),
            AssertionError::TooLong(_) => Error::new(MeshReason::CredentialsInvalid, "the token names too many roles"),
            error => Error::internal(error),
        })?;
        let handed_out_until = (now + HANDED_OUT).min(token.expires_at);
        Ok(Verified { token, authority: Authority { principal, assertion }, signed_with, handed_out_until })
    }
}

impl Verified {
    /// About how many bytes it takes, its key and the map's own share included.
    fn memory(&self) -> u32 {
        const ENTRY: usize = 768;
        let roles: usize = self.token.user.roles.iter().map(|role| size_of::<String>() + role.len()).sum();
        u32::try_from(ENTRY + roles + self.authority.assertion.len()).unwrap_or(u32::MAX)
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
