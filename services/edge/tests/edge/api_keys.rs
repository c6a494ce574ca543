//! API keys at the door: who comes in with one, and until when.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use weft_testkit::{Backend, on_both};

use crate::house::{House, Told, told};

const KEYS: &str = "/api/v1/auth/api-keys";
const PRODUCTS: &str = "/api/v1/products";

impl House {
    async fn by_key(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Told {
        let request = self.request(method, path).header("x-api-key", key);
        told(if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// Somebody who owns a new tenant: an access token.
    async fn owner(&self) -> String {
        let account = json!({"email": format!("{}@weft.example", uuid::Uuid::now_v7()), "password": "correct horse battery"});
        assert_eq!(told(self.request("POST", "/api/v1/auth/register").json(&account)).await.status, 201);
        let session = told(self.request("POST", "/api/v1/auth/login").json(&account)).await.json();
        session["token"].as_str().unwrap().to_owned()
    }

    /// A key's id and secret.
    async fn key(&self, owner: &str, role: &str) -> (String, String) {
        let asked = json!({"name": "the till", "role": role});
        let made = told(self.request("POST", KEYS).bearer_auth(owner).json(&asked)).await;
        assert_eq!(made.status, 200, "{made:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made.json()["apiKey"]["id"]), text(&made.json()["secret"]))
    }
}

async fn a_program_does_with_its_key_what_its_role_may_in_its_tenant(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.owner().await;
    let ((_, staff), (_, customer)) = (house.key(&owner, "ROLE_STAFF").await, house.key(&owner, "ROLE_CUSTOMER").await);
    let price = json!({"currencyCode": "EUR", "minorUnits": "100"});
    let chair = json!({"name": "Chair", "variants": [{"sku": "C-1", "price": price}]});
    assert_eq!(house.by_key(&staff, "POST", PRODUCTS, Some(&chair)).await.status, 201);
    let seen = house.by_key(&customer, "GET", PRODUCTS, None).await;
    assert_eq!((seen.status, seen.json()["products"].as_array().map(Vec::len)), (200, Some(1)));
    let refused = house.by_key(&customer, "POST", PRODUCTS, Some(&chair)).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "PERMISSION_MISSING"));
    let (_, elsewhere) = house.key(&house.owner().await, "ROLE_OWNER").await;
    let none = house.by_key(&elsewhere, "GET", PRODUCTS, None).await;
    assert_eq!((none.status, none.json()["products"].as_array().map_or(0, Vec::len)), (200, 0));
}

async fn a_key_is_refused_within_seconds_of_its_revocation(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.owner().await;
    let ((id, revoked), (_, other)) = (house.key(&owner, "ROLE_STAFF").await, house.key(&owner, "ROLE_STAFF").await);
    for key in [&revoked, &other] {
        assert_eq!(house.by_key(key, "GET", PRODUCTS, None).await.status, 200);
    }
    assert_eq!(told(house.request("DELETE", &format!("{KEYS}/{id}")).bearer_auth(&owner)).await.status, 200);
    let begun = Instant::now();
    let refused = loop {
        let answer = house.by_key(&revoked, "GET", PRODUCTS, None).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it is still good");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((refused.status, refused.reason().as_str()), (401, "CREDENTIALS_INVALID"));
    assert_eq!(house.by_key(&other, "GET", PRODUCTS, None).await.status, 200);
}

on_both!(a_program_does_with_its_key_what_its_role_may_in_its_tenant, a_key_is_refused_within_seconds_of_its_revocation);

#[tokio::test]
async fn what_is_no_key_is_refused_and_guessing_is_slowed_down() {
    let house = House::start().await;
    let ask = |key: String| told(house.request("GET", "/v1/notes").header("x-api-key", key));
    for bad in [String::new(), "x".repeat(200)] {
        let refused = ask(bad).await;
        assert_eq!((refused.status, refused.reason().as_str()), (401, "CREDENTIALS_INVALID"));
    }
    assert_eq!(house.issuer.keys_exchanged(), 0, "what cannot be a key is not looked up");
    let both = told(house.request("GET", "/v1/notes").header("x-api-key", "weft_key_x").bearer_auth(house.token())).await;
    assert_eq!((both.status, both.reason().as_str()), (401, "CREDENTIALS_INVALID"));
    let mut refused = 0;
    for round in 0..8 {
        // Many at once: one after the other, a busy machine alone is what slows them down.
        let guesses = join_all((0..50).map(|guess| ask(format!("weft_key_{round}_{guess}")))).await;
        let (limited, invalid): (Vec<_>, Vec<_>) = guesses.into_iter().partition(|told| told.reason() == "RATE_LIMITED");
        assert!(invalid.iter().all(|told| told.reason() == "CREDENTIALS_INVALID"), "{invalid:?}");
        refused += invalid.len();
        if !limited.is_empty() {
            assert!(refused >= 90, "not before a burst: {refused}");
            let good = house.get_as(&house.token(), "/v1/notes").await;
            assert_ne!(good.status, 429, "who is known is not concerned");
            return;
        }
    }
    panic!("nothing slows guessing down");
}
