//! Who is believed, for how long, and what happens when it cannot be known.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;
use weft_call::Declares;
use weft_contracts_auth::AuthContract;

use crate::{
    house::{House, Told, told},
    issuer::{Issuer, sign_with},
};

const LIST: &str = "/v1/notes?kinds=0";

/// Asks until the answer is as wished: for what takes effect within a moment.
async fn until(house: &House, token: &str, wished: impl Fn(&Told) -> bool) -> Told {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let answer = house.get_as(token, LIST).await;
        if wished(&answer) || Instant::now() > end {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn refusal(answer: &Told) -> (u16, String, &str) {
    (answer.status, answer.reason(), answer.header("www-authenticate"))
}

const INVALID: &str = "Bearer error=\"invalid_token\"";

#[tokio::test]
async fn a_good_token_makes_the_call_its_owners() {
    let house = House::start().await;
    let claims = Issuer::claims(house.mesh.clock().now());
    let token = house.issuer.sign(&claims);
    for _ in 0..2 {
        let note = house.get_as(&token, LIST).await.json()["notes"][0].clone();
        assert_eq!(note["askedBy"], format!("user:{}", claims["sub"].as_str().unwrap()));
        assert_eq!(note["tenantId"], claims["tid"]);
    }
}

#[tokio::test]
async fn a_call_without_credentials_is_told_so() {
    let house = House::start().await;
    assert_eq!(refusal(&house.get(LIST).await), (401, "CREDENTIALS_MISSING".into(), "Bearer"));
    let basic = told(house.request("GET", LIST).basic_auth("ann", Some("secret"))).await;
    assert_eq!(refusal(&basic), (401, "CREDENTIALS_INVALID".into(), INVALID));
}

#[tokio::test]
async fn a_token_that_is_not_as_it_must_be_is_refused() {
    type Spoil = fn(&mut Value);
    let house = House::start().await;
    let claims = Issuer::claims(house.mesh.clock().now());
    assert_eq!(house.get_as(&house.issuer.sign(&claims), LIST).await.status, 200);
    let spoils: [(Spoil, &str); 4] = [
        (|claims| claims["aud"] = json!("elsewhere"), "CREDENTIALS_INVALID"),
        (|claims| claims["iss"] = json!("elsewhere"), "CREDENTIALS_INVALID"),
        (|claims| claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 60), "CREDENTIALS_INVALID"),
        (|claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 60), "CREDENTIALS_EXPIRED"),
    ];
    for (spoil, reason) in spoils {
        let mut claims = claims.clone();
        spoil(&mut claims);
        let refused = house.get_as(&house.issuer.sign(&claims), LIST).await;
        assert_eq!(refusal(&refused), (401, reason.into(), INVALID), "{claims}");
    }
    for forged in [sign_with([9; 32], "k1", &claims), sign_with([9; 32], "k9", &claims), "a.b.c".into(), "x".repeat(9000)] {
        let refused = house.get_as(&forged, LIST).await;
        assert_eq!(refusal(&refused), (401, "CREDENTIALS_INVALID".into(), INVALID), "{forged}");
    }
}

#[tokio::test]
async fn a_token_ends_by_the_clock_also_when_it_is_known() {
    let house = House::start().await;
    let token = house.token();
    for minutes in [0, 5, 4] {
        house.mesh.clock().advance(Duration::from_mins(minutes));
        assert_eq!(house.get_as(&token, LIST).await.status, 200);
    }
    house.mesh.clock().advance(Duration::from_mins(1));
    assert_eq!(refusal(&house.get_as(&token, LIST).await), (401, "CREDENTIALS_EXPIRED".into(), INVALID));
}

#[tokio::test]
async fn a_session_that_ended_takes_its_tokens_with_it_and_no_others() {
    let house = House::start().await;
    let claims = Issuer::claims(house.mesh.clock().now());
    let (token, other) = (house.issuer.sign(&claims), house.token());
    assert_eq!(house.get_as(&token, LIST).await.status, 200);
    let end = DateTime::from_timestamp_secs(claims["exp"].as_i64().unwrap()).unwrap();
    house.issuer.revoke(claims["sid"].as_str().unwrap().parse::<Uuid>().unwrap(), end).await;
    assert_eq!(refusal(&house.get_as(&token, LIST).await), (401, "CREDENTIALS_INVALID".into(), INVALID));
    assert_eq!(house.get_as(&other, LIST).await.status, 200);
}

#[tokio::test]
async fn a_rotated_key_is_fetched_when_it_is_first_seen_and_strangers_cannot_have_it_fetched_at_will() {
    let house = House::start().await;
    let old = house.token();
    assert_eq!(house.get_as(&old, LIST).await.status, 200);
    house.issuer.rotate();
    assert_eq!(house.get_as(&house.token(), LIST).await.status, 200);
    assert_eq!(house.get_as(&old, LIST).await.status, 200);
    let (before, started) = (house.issuer.keys_listed(), Instant::now());
    let strangers = (0..50).map(async |number| {
        let stranger = sign_with([9; 32], &format!("s{number}"), &Issuer::claims(house.mesh.clock().now()));
        assert_eq!(house.get_as(&stranger, LIST).await.status, 401);
    });
    futures_util::future::join_all(strangers).await;
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
    let fetched = house.issuer.keys_listed() - before;
    assert!((1..=seconds + 1).contains(&fetched), "fetched {fetched} times in {seconds} s");
}

#[tokio::test]
async fn without_word_of_ended_sessions_nobody_is_believed_until_it_comes() {
    let house = House::with(|edge| edge.settings.revocation_staleness = Duration::from_millis(300)).await;
    let token = house.token();
    assert_eq!(house.get_as(&token, LIST).await.status, 200);
    house.issuer.set_silent(true);
    let refused = until(&house, &token, |answer| answer.status != 200).await;
    assert_eq!((refused.status, refused.reason().as_str()), (503, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(house.get("/v1/notes/7").await.status, 200, "public methods need no word");
    house.issuer.set_silent(false);
    assert_eq!(until(&house, &token, |answer| answer.status == 200).await.status, 200);
}

#[tokio::test]
async fn without_an_auth_domain_nobody_has_credentials() {
    let house = House::with(|edge| edge.contracts.retain(|contract| contract.package != AuthContract::CONTRACT.package)).await;
    let refused = house.get_as(&house.token(), LIST).await;
    assert_eq!(refusal(&refused), (401, "CREDENTIALS_INVALID".into(), INVALID));
    assert_eq!(refusal(&house.get(LIST).await), (401, "CREDENTIALS_MISSING".into(), "Bearer"));
}

#[tokio::test]
async fn a_public_method_is_called_on_nobodys_account_whatever_the_header_says() {
    let house = House::start().await;
    for token in [house.token(), "expired or worse".into()] {
        let login = house.request("POST", "/api/v1/auth/login").bearer_auth(&token);
        let answer = told(login.json(&json!({"email": "a@b.example", "password": "secret"}))).await;
        assert_eq!(answer.json()["tokenType"], "anonymous a@b.example");
    }
}

#[tokio::test]
async fn a_role_without_the_permission_is_refused_by_the_domain() {
    let house = House::start().await;
    let mut claims = Issuer::claims(house.mesh.clock().now());
    claims["roles"] = json!(["reader"]);
    let patch = house.request("PATCH", "/v1/notes/7").bearer_auth(house.issuer.sign(&claims));
    let refused = told(patch.json(&json!({}))).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "PERMISSION_MISSING"));
}

#[tokio::test]
async fn what_passes_for_an_assertion_from_outside_goes_nowhere() {
    let house = House::start().await;
    let forged =
        house.request("GET", "/v1/notes/7").header("weft-assertion-bin", "AAAA").header("weft-tenant", Uuid::nil().to_string());
    let answer = told(forged).await;
    assert_eq!((answer.status, &answer.json()["askedBy"]), (200, &json!("anonymous")));
}
