//! Access tokens: JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037), after the profile of
//! RFC 9068. It has no `client_id`, because there are no clients to tell apart yet.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::signing_key::SigningKey;

/// Who issues the tokens and for whom: the installation itself.
const ISSUER: &str = "weft";

/// Whom a token speaks for.
pub(crate) struct Subject<'a> {
    pub(crate) user: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) session: Uuid,
    pub(crate) role: &'a str,
    pub(crate) epoch: i64,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: Uuid,
    tid: Uuid,
    sid: Uuid,
    roles: [&'a str; 1],
    epoch: i64,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Issues a token that is good for `ttl` from `now`.
pub(crate) fn issue(
    key: &SigningKey,
    subject: &Subject<'_>,
    now: DateTime<Utc>,
    ttl: TimeDelta,
) -> Result<String, serde_json::Error> {
    let iat = now.timestamp();
    let claims = Claims {
        iss: ISSUER,
        aud: ISSUER,
        sub: subject.user,
        tid: subject.tenant,
        sid: subject.session,
        roles: [subject.role],
        epoch: subject.epoch,
        iat,
        exp: iat.saturating_add(ttl.num_seconds()),
        jti: Uuid::now_v7(),
    };
    let header = Header { alg: "EdDSA", kid: key.id(), typ: "at+jwt" };
    let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    use serde_json::Value;

    use super::*;

    fn token(now: DateTime<Utc>, seed: u8) -> (String, SigningKey) {
        let key = SigningKey::from_seed(0, &[seed; 32], DateTime::UNIX_EPOCH).unwrap();
        let subject = Subject {
            user: Uuid::from_u128(1),
            tenant: Uuid::from_u128(2),
            session: Uuid::from_u128(3),
            role: "staff",
            epoch: 4,
        };
        (issue(&key, &subject, now, TimeDelta::minutes(10)).unwrap(), key)
    }

    fn validation() -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&["weft"]);
        validation.set_issuer(&["weft"]);
        validation
    }

    #[test]
    fn another_library_verifies_a_token_and_reads_its_claims() {
        let now = Utc::now();
        let (token, key) = token(now, 7);
        let header = decode_header(&token).unwrap();
        assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("at+jwt"), Some(key.id())));
        let verifier = DecodingKey::from_ed_components(&key.jwk().x).unwrap();
        let claims = decode::<Value>(&token, &verifier, &validation()).unwrap().claims;
        assert_eq!(claims["sub"], Uuid::from_u128(1).to_string());
        assert_eq!(claims["tid"], Uuid::from_u128(2).to_string());
        assert_eq!(claims["sid"], Uuid::from_u128(3).to_string());
        assert_eq!(claims["roles"], serde_json::json!(["staff"]));
        assert_eq!((&claims["epoch"], &claims["iat"]), (&4.into(), &now.timestamp().into()));
        assert_eq!(claims["exp"], now.timestamp() + 600);
    }

    #[test]
    fn a_token_of_another_key_or_a_changed_one_does_not_verify() {
        let (text, key) = token(Utc::now(), 7);
        let verifier = DecodingKey::from_ed_components(&key.jwk().x).unwrap();
        let (foreign, _) = token(Utc::now(), 8);
        assert!(decode::<Value>(&foreign, &verifier, &validation()).is_err());
        let mut parts = text.split('.');
        let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap().replace("staff", "owner");
        let changed = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims));
        assert!(decode::<Value>(&changed, &verifier, &validation()).is_err());
    }

    #[test]
    fn two_tokens_of_one_moment_differ() {
        let now = Utc::now();
        assert_ne!(token(now, 7).0, token(now, 7).0);
    }
}
