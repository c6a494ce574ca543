//! A tenant's day through the front door, and what others try: whatever is refused changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;
use weft_call::Code;
use weft_testkit::{Backend, on_both};

use crate::{
    house::{House, Told, told},
    wire::{Wire, frame},
};

const PASSWORD: &str = "correct horse battery";

/// Somebody who has logged in.
struct Account {
    token: String,
    refresh_token: String,
    tenant: String,
}

impl House {
    async fn post(&self, path: &str, body: &Value) -> Told {
        told(self.request("POST", path).json(body)).await
    }

    async fn post_as(&self, account: &Account, path: &str, body: &Value) -> Told {
        told(self.request("POST", path).bearer_auth(&account.token).json(body)).await
    }

    /// Opens an account in a new tenant, or in one that there is, and logs in.
    async fn join(&self, tenant: Option<&str>) -> Account {
        let email = format!("{}@weft.example", Uuid::now_v7());
        let account = json!({"email": email, "password": PASSWORD, "tenantId": tenant.unwrap_or_default()});
        let registered = self.post("/api/v1/auth/register", &account).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let tenant = registered.json()["tenantId"].as_str().unwrap().to_owned();
        let session = self.post("/api/v1/auth/login", &json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(session.status, 200, "{session:?}");
        Account { tenant, ..Account::of(&session.json()) }
    }

    /// A product's one variant.
    async fn product(&self, owner: &Account, sku: &str) -> Value {
        let price = json!({"currencyCode": "EUR", "minorUnits": "1250"});
        let product = json!({"name": "Chair", "variants": [{"sku": sku, "name": "blue", "price": price}]});
        let created = self.post_as(owner, "/api/v1/products", &product).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.json()
    }

    async fn count(&self, account: &Account, path: &str, field: &str) -> usize {
        let listed = self.get_as(&account.token, path).await;
        assert_eq!(listed.status, 200, "{listed:?}");
        listed.json()[field].as_array().map_or(0, Vec::len)
    }

    /// Asks until the answer has this status: for a session's end, of which the edge hears in a moment.
    async fn until(&self, account: &Account, status: u16) -> Told {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let answer = self.get_as(&account.token, "/api/v1/products").await;
            if answer.status == status || Instant::now() > end {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Account {
    fn of(session: &Value) -> Self {
        let text = |field: &str| session[field].as_str().unwrap().to_owned();
        Self { token: text("token"), refresh_token: text("refreshToken"), tenant: String::new() }
    }
}

/// The id of a product's first variant.
fn variant(product: &Value) -> &str {
    product["variants"][0]["id"].as_str().unwrap()
}

fn order(product: &Value, quantity: i64) -> Value {
    json!({"lines": [{"variantId": variant(product), "quantity": quantity}]})
}

async fn a_repeated_order_is_answered_as_the_first_and_its_key_takes_no_other(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.join(None).await;
    let product = house.product(&owner, "C-1").await;
    let place = async |key: &str, quantity: i64| {
        let request = house.request("POST", "/api/v1/orders").bearer_auth(&owner.token);
        told(request.header("idempotency-key", key).json(&order(&product, quantity))).await
    };
    let first = place("k-1", 2).await;
    assert_eq!((first.status, &first.json()["total"]["minorUnits"]), (201, &json!("2500")), "{first:?}");
    let again = place("k-1", 2).await;
    assert_eq!((again.status, again.json(), again.header("location")), (201, first.json(), first.header("location")));
    assert_eq!(house.get_as(&owner.token, first.header("location")).await.json(), first.json());
    let other = place("k-1", 3).await;
    assert_eq!((other.status, other.reason().as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(house.count(&owner, "/api/v1/orders", "orders").await, 1);
}

async fn another_tenants_ids_and_page_tokens_open_nothing(backend: Backend) {
    let house = House::of_weft(backend).await;
    let (owner, stranger) = (house.join(None).await, house.join(None).await);
    assert_ne!(owner.tenant, stranger.tenant);
    let product = house.product(&owner, "C-1").await;
    house.product(&owner, "C-2").await;
    let placed = house.post_as(&owner, "/api/v1/orders", &order(&product, 1)).await;
    let product_path = format!("/api/v1/products/{}", product["id"].as_str().unwrap());
    let order_path = placed.header("location").to_owned();
    let page = house.get_as(&owner.token, "/api/v1/products?page_size=1").await.json();
    let token = page["nextPageToken"].as_str().unwrap();
    let next = format!("/api/v1/products?page_size=1&page_token={token}");
    assert_eq!(house.get_as(&owner.token, &next).await.status, 200);

    let cancel = format!("{order_path}:cancel");
    let update = json!({"name": "Stolen"});
    let tried = [
        ("GET", product_path.as_str(), None, 404, "PRODUCT_NOT_FOUND"),
        ("PATCH", &product_path, Some(&update), 404, "PRODUCT_NOT_FOUND"),
        ("DELETE", &product_path, None, 404, "PRODUCT_NOT_FOUND"),
        ("GET", &order_path, None, 404, "ORDER_NOT_FOUND"),
        ("POST", &cancel, None, 404, "ORDER_NOT_FOUND"),
        ("GET", &next, None, 400, "PAGE_TOKEN_INVALID"),
        ("POST", "/api/v1/orders", Some(&order(&product, 1)), 400, "VARIANT_NOT_FOUND"),
    ];
    for (method, path, body, status, reason) in tried {
        let request = house.request(method, path).bearer_auth(&stranger.token);
        let answer = told(if let Some(body) = body { request.json(body) } else { request }).await;
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{method} {path}: {answer:?}");
    }
    assert_eq!(house.get_as(&owner.token, &product_path).await.json(), product);
    assert_eq!(house.get_as(&owner.token, &order_path).await.json(), placed.json());
    assert_eq!(house.count(&stranger, "/api/v1/orders", "orders").await, 0);
}

async fn a_customer_does_what_customers_may(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.join(None).await;
    let customer = house.join(Some(&owner.tenant)).await;
    let product = house.product(&owner, "C-1").await;
    let refused = house.post_as(&customer, "/api/v1/products", &json!({"name": "Mine"})).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "PERMISSION_MISSING"));
    assert_eq!(house.post_as(&customer, "/api/v1/orders", &order(&product, 1)).await.status, 201);
    assert_eq!(house.count(&owner, "/api/v1/products", "products").await, 1);
}

async fn a_refresh_token_that_comes_again_ends_its_session(backend: Backend) {
    let house = House::of_weft(backend).await;
    let first = house.join(None).await;
    let refresh = async |token: &str| house.post("/api/v1/auth/refresh", &json!({"refreshToken": token})).await;
    let second = Account::of(&refresh(&first.refresh_token).await.json());
    assert_eq!(house.until(&second, 200).await.status, 200);
    house.mesh.clock().advance(Duration::from_mins(1));
    let replayed = refresh(&first.refresh_token).await;
    assert_eq!((replayed.status, replayed.reason().as_str()), (401, "REFRESH_TOKEN_REUSED"));
    assert_eq!(refresh(&second.refresh_token).await.status, 401);
    let ended = house.until(&second, 401).await;
    assert_eq!((ended.status, ended.reason().as_str()), (401, "CREDENTIALS_INVALID"));
}

async fn who_has_logged_out_is_out(backend: Backend) {
    let house = House::of_weft(backend).await;
    let (account, other) = (house.join(None).await, house.join(None).await);
    assert_eq!(house.until(&account, 200).await.status, 200);
    assert_eq!(house.post_as(&account, "/api/v1/auth/logout", &json!({})).await.status, 200);
    assert_eq!(house.until(&account, 401).await.reason(), "CREDENTIALS_INVALID");
    assert_eq!(house.until(&other, 200).await.status, 200);
}

async fn what_is_refused_changes_nothing(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.join(None).await;
    let product = house.product(&owner, "C-1").await;
    let (id, nobody) = (variant(&product), Uuid::now_v7());
    let line = |id: &str, quantity: &str| format!(r#"{{"lines": [{{"variantId": "{id}", "quantity": {quantity}}}]}}"#);
    let price = r#"{"currencyCode": "EUR", "minorUnits": "1"}"#;
    let chair = |name: &str, sku: &str, price: &str| {
        format!(r#"{{"name": "{name}", "variants": [{{"sku": "{sku}", "price": {price}}}]}}"#)
    };
    let (orders, products) = ("/api/v1/orders", "/api/v1/products");
    for (path, body, status, reason, field) in [
        (orders, "{}".into(), 400, "VALIDATION_FAILED", "lines"),
        (orders, line(id, "0"), 400, "VALIDATION_FAILED", "lines[0].quantity"),
        (orders, line(id, "10001"), 400, "VALIDATION_FAILED", "lines[0].quantity"),
        (orders, line(id, "1.5"), 400, "MALFORMED_MESSAGE", "lines[0].quantity"),
        (orders, line(id, "\"two\""), 400, "MALFORMED_MESSAGE", "lines[0].quantity"),
        (orders, line("7", "1"), 400, "VALIDATION_FAILED", "lines[0].variant_id"),
        (orders, line("\\u0000", "1"), 400, "VALIDATION_FAILED", "lines[0].variant_id"),
        (orders, line(&nobody.to_string(), "1"), 400, "VARIANT_NOT_FOUND", ""),
        (orders, line(id, "1, \"total\": 0"), 400, "MALFORMED_MESSAGE", "lines[0].total"),
        (products, "{}".into(), 400, "VALIDATION_FAILED", "product.name product.variants"),
        (products, chair("a\\u0000b", "C-2", price), 400, "VALIDATION_FAILED", "product.name"),
        (products, chair("a", "C-1", price), 409, "SKU_TAKEN", ""),
        (
            products,
            chair("a", "C-2", r#"{"currencyCode": "EUR", "minorUnits": "x"}"#),
            400,
            "MALFORMED_MESSAGE",
            "product.variants[0].price.minor_units",
        ),
        (
            products,
            chair("a", "C-2", r#"{"currencyCode": "EUR", "amount": 1}"#),
            400,
            "MALFORMED_MESSAGE",
            "product.variants[0].price.amount",
        ),
    ] {
        let request = house.request("POST", path).bearer_auth(&owner.token).body(body.clone());
        let answer = told(request).await;
        let case = format!("{path} {body}: {answer:?}");
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{case}");
        let named = answer.fields();
        assert!(field.split(' ').all(|field| named.contains(field)), "{case}");
    }
    assert_eq!(house.count(&owner, orders, "orders").await, 0);
    assert_eq!(house.count(&owner, products, "products").await, 1);
}

async fn grpc_clients_are_the_same_people(backend: Backend) {
    let house = House::of_weft(backend).await;
    let owner = house.join(None).await;
    house.product(&owner, "C-1").await;
    let mut wire = Wire::open(&house).await;
    let bearer = format!("Bearer {}", owner.token);
    let listed = wire.call("/weft.catalog.v1.Catalog/ListProducts", &[("authorization", &bearer)], &[frame(b"")]).await;
    assert_eq!((listed.code, listed.messages.len()), (Code::Ok, 1));
    let refused = wire.call("/weft.catalog.v1.Catalog/ListProducts", &[], &[frame(b"")]).await;
    assert_eq!((refused.code, refused.reason()), (Code::Unauthenticated, "CREDENTIALS_MISSING"));
    let inside = wire.call("/weft.auth.v1.Auth/ListRevocations", &[("authorization", &bearer)], &[frame(b"")]).await;
    assert_eq!((inside.code, inside.reason()), (Code::Unimplemented, "METHOD_UNKNOWN"));
}

async fn the_keys_of_tokens_are_published_where_others_look_for_them(backend: Backend) {
    let house = House::of_weft(backend).await;
    let account = house.join(None).await;
    let published = house.get("/.well-known/jwks.json").await.json();
    let key = &published["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    let header = jsonwebtoken::decode_header(&account.token).unwrap();
    assert_eq!(key["kid"], header.kid.unwrap());
}

on_both!(
    the_keys_of_tokens_are_published_where_others_look_for_them,
    a_repeated_order_is_answered_as_the_first_and_its_key_takes_no_other,
    another_tenants_ids_and_page_tokens_open_nothing,
    a_customer_does_what_customers_may,
    a_refresh_token_that_comes_again_ends_its_session,
    who_has_logged_out_is_out,
    what_is_refused_changes_nothing,
    grpc_clients_are_the_same_people,
);
