//! The access tokens that users carry, verified at the edge and nowhere else.
//!
//! # Problem
//!
//! A bearer token comes from a stranger. Before anything in it is believed it must be known that the
//! mesh itself issued it, for itself, for now, and as an access token.
//!
//! # Rule
//!
//! A token is a JWT of the profile of RFC 9068: EdDSA over Ed25519 and nothing else, `typ` at+jwt,
//! a `kid` of the key set at hand, issuer and audience `weft`. Times are compared with the caller's
//! clock, with 5 s for the difference between clocks. All claims that the mesh needs must be there.
//! Whether the session was ended early is asked elsewhere: see the edge.
//!
//! # Recovery
//!
//! A token under a key that is not in the set may mean that keys were rotated: the error says so by
//! [`UserTokenError::UnknownKey`], and the caller may fetch the set again. Every other error is final.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::Deserialize;
use uuid::Uuid;
use weft_call::{Error, MeshReason, TenantId, User};

/// Who issues the tokens, and for whom.
const WEFT: &str = "weft";
/// The media type of access tokens (RFC 9068 section 2.1), without `application/`.
const ACCESS_TOKEN: &str = "at+jwt";
/// Longest token that is looked at, in bytes.
const MAX_BYTES: usize = 8 * 1024;
/// How far the clocks of issuer and verifier may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);
/// Most keys of a set; an installation has the signing key and those being retired.
const MAX_KEYS: usize = 64;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// Whose it is.
    pub user: User,
    /// From when on it no longer holds.
    pub expires_at: DateTime<Utc>,
}

/// Why a token is not believed. No text holds any part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserTokenError {
    /// It is longer than any token of ours.
    #[error("the token is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It is no JWT.
    #[error("the token is not a JWT")]
    Malformed,
    /// It is not signed with EdDSA.
    #[error("the token must be signed with EdDSA")]
    Algorithm,
    /// It is a JWT of another kind, such as an identity token.
    #[error("the token's type must be {ACCESS_TOKEN}")]
    Type,
    /// It demands an extension of JWT that is not known here (RFC 7515 section 4.1.11).
    #[error("the token demands a header extension that is not known")]
    Critical,
    /// It names no key, or none of the set.
    #[error("the token is signed with a key that is not known")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing, or not what it must be.
    #[error("the token's claim {0} is missing or wrong")]
    Claim(&'static str),
    /// It holds from a later time on.
    #[error("the token does not hold yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// A public key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not 32 bytes in base64url.
    #[error("the key {kid:?} is not an Ed25519 public key")]
    Malformed {
        /// The key's id.
        kid: String,
    },
    /// There are more keys than any installation has.
    #[error("a key set has at most {MAX_KEYS} keys")]
    TooMany,
}

/// The public keys that tokens are verified with, by their ids.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, DecodingKey>);

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    tid: Uuid,
    sid: Uuid,
    roles: Vec<String>,
    epoch: u64,
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
}

// === impl KeySet ===

impl KeySet {
    /// Adds an Ed25519 key, whose `x` is as a JSON Web Key has it (RFC 8037).
    pub fn add(&mut self, kid: &str, x: &str) -> Result<(), KeyError> {
        let key = URL_SAFE_NO_PAD.decode(x).ok().filter(|key| key.len() == 32);
        let key = key.ok_or_else(|| KeyError::Malformed { kid: kid.to_owned() })?;
        if self.0.len() >= MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        self.0.insert(kid.to_owned(), DecodingKey::from_ed_der(&key));
        Ok(())
    }

    /// True if no token can be verified with it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the token says, if it is to be believed at `now`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<UserToken, UserTokenError> {
        if token.len() > MAX_BYTES {
            return Err(UserTokenError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| refusal(error.kind()))?;
        if header.alg != Algorithm::EdDSA {
            return Err(UserTokenError::Algorithm);
        }
        let is_access_token =
            |typ: &str| typ.eq_ignore_ascii_case(ACCESS_TOKEN) || typ.eq_ignore_ascii_case("application/at+jwt");
        if !header.typ.as_deref().is_some_and(is_access_token) {
            return Err(UserTokenError::Type);
        }
        if header.crit.is_some() {
            return Err(UserTokenError::Critical);
        }
        let key = header.kid.as_ref().and_then(|kid| self.0.get(kid)).ok_or(UserTokenError::UnknownKey)?;
        let token = jsonwebtoken::decode::<Claims>(token, key, &validation()).map_err(|error| refusal(error.kind()))?;
        token.claims.read(now)
    }
}

/// Everything but the time, which is the caller's to say.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["iss", "aud"]);
    validation.set_issuer(&[WEFT]);
    validation.set_audience(&[WEFT]);
    validation
}

fn refusal(kind: &ErrorKind) -> UserTokenError {
    match kind {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => UserTokenError::Algorithm,
        ErrorKind::InvalidSignature | ErrorKind::InvalidEddsaKey => UserTokenError::Signature,
        ErrorKind::InvalidIssuer => UserTokenError::Claim("iss"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => UserTokenError::Claim("iss"),
        ErrorKind::InvalidAudience | ErrorKind::MissingRequiredClaim(_) => UserTokenError::Claim("aud"),
        _ => UserTokenError::Malformed,
    }
}

// === impl Claims ===

impl Claims {
    fn read(self, now: DateTime<Utc>) -> Result<UserToken, UserTokenError> {
        let time = |seconds, claim| DateTime::from_timestamp_secs(seconds).ok_or(UserTokenError::Claim(claim));
        let expires_at = time(self.exp, "exp")?;
        let begins_at = time(self.iat, "iat")?.max(time(self.nbf.unwrap_or(self.iat), "nbf")?);
        if now + CLOCK_SKEW < begins_at {
            return Err(UserTokenError::NotYetValid);
        }
        if now - CLOCK_SKEW >= expires_at {
            return Err(UserTokenError::Expired);
        }
        let (id, tenant, session) = (self.sub, TenantId(self.tid), self.sid);
        Ok(UserToken { user: User { id, tenant, session, roles: self.roles.into(), epoch: self.epoch }, expires_at })
    }
}

// === impl UserTokenError ===

impl From<UserTokenError> for Error {
    fn from(error: UserTokenError) -> Self {
        let reason = match error {
            UserTokenError::Expired => MeshReason::CredentialsExpired,
            UserTokenError::TooLong
            | UserTokenError::Malformed
            | UserTokenError::Algorithm
            | UserTokenError::Type
            | UserTokenError::Critical
            | UserTokenError::UnknownKey
            | UserTokenError::Signature
            | UserTokenError::Claim(_)
            | UserTokenError::NotYetValid => MeshReason::CredentialsInvalid,
        };
        Self::new(reason, error.to_string())
    }
}

#[cfg(test)]
mod tests;
