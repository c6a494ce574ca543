#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use jsonwebtoken::{EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

/// An Ed25519 private key as PKCS #8 (RFC 8410 section 7): a fixed frame around the seed.
fn signing_key(seed: [u8; 32]) -> EncodingKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend(seed);
    EncodingKey::from_ed_der(&der)
}

fn public_key(seed: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap().public_key())
}

fn keys() -> KeySet {
    let mut keys = KeySet::default();
    keys.add("k1", &public_key([1; 32])).unwrap();
    keys
}

fn header() -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    (header.typ, header.kid) = (Some("at+jwt".into()), Some("k1".into()));
    header
}

fn claims() -> Value {
    json!({
        "iss": "weft", "aud": "weft", "sub": Uuid::from_u128(1), "tid": Uuid::from_u128(2), "sid": Uuid::from_u128(3),
        "roles": ["owner"], "epoch": 4, "iat": NOW, "exp": NOW + 600, "jti": "j",
    })
}

fn token(header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &signing_key([1; 32])).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_secs(NOW + seconds).unwrap()
}

fn refused(token: &str) -> UserTokenError {
    keys().verify(token, at(0)).unwrap_err()
}

#[test]
fn a_good_token_says_who_where_and_for_how_long() {
    let verified = keys().verify(&token(&header(), &claims()), at(0)).unwrap();
    let user = User {
        id: Uuid::from_u128(1),
        tenant: TenantId(Uuid::from_u128(2)),
        session: Uuid::from_u128(3),
        roles: ["owner".to_owned()].into(),
        epoch: 4,
    };
    assert_eq!(verified, UserToken { user, expires_at: at(600) });
}

#[test]
fn a_token_holds_between_its_times_give_or_take_the_clocks_difference() {
    let token = token(&header(), &claims());
    for (seconds, expected) in
        [(-6, Err(UserTokenError::NotYetValid)), (-5, Ok(())), (604, Ok(())), (605, Err(UserTokenError::Expired))]
    {
        assert_eq!(keys().verify(&token, at(seconds)).map(drop), expected, "at {seconds}");
    }
}

#[test]
fn a_token_of_another_kind_is_refused() {
    type Spoil = fn(&mut Header);
    let cases: [(Spoil, UserTokenError); 6] = [
        (|header| header.typ = Some("JWT".into()), UserTokenError::Type),
        (|header| header.typ = None, UserTokenError::Type),
        (|header| header.kid = None, UserTokenError::UnknownKey),
        (|header| header.kid = Some("k2".into()), UserTokenError::UnknownKey),
        (|header| header.crit = Some(vec!["b64".into()]), UserTokenError::Critical),
        (|header| header.typ = Some("id+jwt".into()), UserTokenError::Type),
    ];
    for (spoil, expected) in cases {
        let mut header = header();
        spoil(&mut header);
        assert_eq!(refused(&token(&header, &claims())), expected);
    }
}

#[test]
fn a_token_that_is_not_signed_with_eddsa_is_refused() {
    // The classic forgery: HMAC with the public key as its secret.
    let mut header = header();
    header.alg = Algorithm::HS256;
    let secret = EncodingKey::from_secret(public_key([1; 32]).as_bytes());
    let hmac = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(refused(&hmac), UserTokenError::Algorithm);
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let none = json!({"alg": "none", "typ": "at+jwt", "kid": "k1"});
    assert!(matches!(refused(&format!("{}.{}.", encode(&none), encode(&claims()))), UserTokenError::Malformed));
}

#[test]
fn a_token_of_another_key_or_with_a_changed_claim_is_refused() {
    let stranger = jsonwebtoken::encode(&header(), &claims(), &signing_key([2; 32])).unwrap();
    assert_eq!(refused(&stranger), UserTokenError::Signature);
    let good = token(&header(), &claims());
    let mut parts: Vec<_> = good.split('.').collect();
    let mut forged = claims();
    forged["tid"] = json!(Uuid::from_u128(9));
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    parts[1] = &forged;
    assert_eq!(refused(&parts.join(".")), UserTokenError::Signature);
}

#[test]
fn a_token_with_a_missing_or_foreign_claim_is_refused() {
    for claim in ["iss", "aud"] {
        let (mut missing, mut foreign) = (claims(), claims());
        missing.as_object_mut().unwrap().remove(claim);
        foreign[claim] = json!("elsewhere");
        assert_eq!(refused(&token(&header(), &missing)), UserTokenError::Claim(claim));
        assert_eq!(refused(&token(&header(), &foreign)), UserTokenError::Claim(claim));
    }
    for claim in ["sub", "tid", "sid", "roles", "epoch", "iat", "exp"] {
        let (mut missing, mut wrong) = (claims(), claims());
        missing.as_object_mut().unwrap().remove(claim);
        wrong[claim] = json!(false);
        assert_eq!(refused(&token(&header(), &missing)), UserTokenError::Malformed, "{claim}");
        assert_eq!(refused(&token(&header(), &wrong)), UserTokenError::Malformed, "{claim}");
    }
    let mut endless = claims();
    endless["exp"] = json!(i64::MAX);
    assert_eq!(refused(&token(&header(), &endless)), UserTokenError::Claim("exp"));
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "a.b.c", "e30.e30.e30", "é.é.é", "a.b.c.d"] {
        assert_eq!(refused(text), UserTokenError::Malformed, "{text:?}");
    }
    assert_eq!(refused(&"a".repeat(MAX_BYTES + 1)), UserTokenError::TooLong);
}

#[test]
fn what_is_no_key_is_refused() {
    let mut keys = KeySet::default();
    for x in ["", "AA", "not base64url!", &public_key([1; 32])[1..]] {
        assert_eq!(keys.add("k", x), Err(KeyError::Malformed { kid: "k".into() }), "{x:?}");
    }
    for number in 0..MAX_KEYS {
        keys.add(&number.to_string(), &public_key([1; 32])).unwrap();
    }
    assert_eq!(keys.add("one more", &public_key([1; 32])), Err(KeyError::TooMany));
}
