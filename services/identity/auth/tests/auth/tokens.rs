//! Access tokens and the keys that sign them.

use std::{collections::BTreeSet, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind, jwk::JwkSet};
use serde_json::{Value, json};
use weft_contracts_auth::ListKeysRequest;
use weft_testkit::{Backend, on_both};

use crate::given::{Given, part};

const HOUR: u64 = 60 * 60;

on_both!(
    another_library_verifies_a_token_by_the_key_set,
    a_token_lives_for_ten_minutes_of_the_mesh_clock,
    logins_that_are_the_first_agree_on_one_key,
    a_key_is_followed_by_the_next_without_a_gap,
);

/// The key set as it stands at `/.well-known/jwks.json`, read by another library.
async fn key_set(given: &Given) -> JwkSet {
    let keys = given.auth.list_keys(&given.mesh.anonymous(), ListKeysRequest {}).await.unwrap().into_message().keys;
    let jwk = |key: &weft_contracts_auth::Key| json!({ "kty": key.kty, "crv": key.crv, "x": key.x, "kid": key.kid, "alg": key.alg, "use": key.r#use });
    serde_json::from_value(json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() })).unwrap()
}

/// Verifies a token as a program would that knows the key set and nothing else of weft.
fn verify(token: &str, keys: &JwkSet, check_expiry: bool) -> Result<Value, ErrorKind> {
    let header = decode_header(token).unwrap();
    let key = keys.find(&header.kid.unwrap()).ok_or(ErrorKind::InvalidKeyFormat)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["weft"]);
    validation.set_issuer(&["weft"]);
    validation.leeway = 0;
    validation.validate_exp = check_expiry;
    let decoded = decode(token, &DecodingKey::from_jwk(key).unwrap(), &validation);
    decoded.map(|token| token.claims).map_err(jsonwebtoken::errors::Error::into_kind)
}

async fn another_library_verifies_a_token_by_the_key_set(backend: Backend) {
    let given = Given::start(backend).await;
    let user = given.owner("ann@example.org").await;
    let session = given.login("ann@example.org").await;
    let keys = key_set(&given).await;
    assert_eq!(part(&session.token, 0)["typ"], "at+jwt");
    let claims = verify(&session.token, &keys, true).unwrap();
    assert_eq!((&claims["sub"], &claims["tid"]), (&json!(user.id), &json!(user.tenant_id)));
    assert_eq!((&claims["sid"], &claims["roles"]), (&json!(session.session_id), &json!(["owner"])));
    let (signed, signature) = session.token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    assert_eq!(verify(&forged, &keys, true), Err(ErrorKind::InvalidSignature));
}

async fn a_token_lives_for_ten_minutes_of_the_mesh_clock(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    given.pass(5 * HOUR);
    let now = given.mesh.clock().now().timestamp();
    let claims = part(&given.login("ann@example.org").await.token, 1);
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 600)));
}

async fn logins_that_are_the_first_agree_on_one_key(backend: Backend) {
    let given = Arc::new(Given::start(backend).await);
    assert!(given.key_ids().await.is_empty());
    given.owner("ann@example.org").await;
    let logins: Vec<_> = (0..8)
        .map(|_| {
            let given = Arc::clone(&given);
            tokio::spawn(async move { given.login("ann@example.org").await.token })
        })
        .collect();
    let mut signed_by = BTreeSet::new();
    for login in logins {
        signed_by.insert(part(&login.await.unwrap(), 0)["kid"].as_str().unwrap().to_owned());
    }
    assert_eq!(signed_by.into_iter().collect::<Vec<_>>(), given.key_ids().await);
}

async fn a_key_is_followed_by_the_next_without_a_gap(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let login = async || given.login("ann@example.org").await.token;
    let signed_by = |token: &str| part(token, 0)["kid"].as_str().unwrap().to_owned();
    let first = signed_by(&login().await);

    // An hour before its turn the next key is listed and does not sign.
    given.pass(30 * 24 * HOUR - HOUR);
    given.mesh.run_job("auth", "rotate_signing_keys").await;
    let listed = given.key_ids().await;
    assert_eq!((listed.len(), &listed[0]), (2, &first));
    given.pass(HOUR - 1);
    let last = login().await;
    assert_eq!(signed_by(&last), first);

    // It signs, and the old one is listed for as long as a token of it is good.
    given.pass(1);
    assert_eq!(signed_by(&login().await), listed[1]);
    given.pass(10 * 60 - 2);
    given.mesh.run_job("auth", "rotate_signing_keys").await;
    verify(&last, &key_set(&given).await, false).unwrap();
    given.pass(2 * 60);
    given.mesh.run_job("auth", "rotate_signing_keys").await;
    assert_eq!(given.key_ids().await, listed[1..]);
}
