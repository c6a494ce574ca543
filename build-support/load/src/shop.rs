//! The shop over REST, as a patient client uses it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::error::LoadError;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(50);
const PASSWORD: &str = "a password of the load driver";

/// A tenant with one product, and its owner's access.
pub(crate) struct Shop {
    client: Client,
    base: String,
    patience: Duration,
    email: String,
    token: RwLock<String>,
    product: String,
    variant: String,
}

/// An answered request.
pub(crate) struct Answered {
    pub(crate) body: Value,
    /// Attempts that came to nothing before.
    pub(crate) repeats: u32,
}

/// One request.
struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Option<Value>,
    key: Option<&'a str>,
}

enum Attempt {
    Answered(Value),
    Again(String),
    TokenExpired,
}

impl Shop {
    /// Signs an owner up, logs in and makes the product; waits for the edge to serve.
    pub(crate) async fn open(url: &str, patience: Duration) -> Result<Self, LoadError> {
        let client = Client::builder().timeout(ATTEMPT).build().map_err(LoadError::Client)?;
        let base = format!("{}/api/v1", url.trim_end_matches('/'));
        let (token, product, variant) = Default::default();
        let mut shop = Self { client, base, patience, email: new_email(), token, product, variant };
        shop.sign_up(&shop.email).await?;
        shop.log_in().await?;
        let product =
            json!({"name": "Anvil", "variants": [{"sku": "A-1", "price": {"currencyCode": "EUR", "minorUnits": "4200"}}]});
        let made = shop.send(Request { body: Some(product), key: Some("product"), ..post("/products") }).await?.body;
        shop.product = text(&made["id"], "/products", "id")?;
        shop.variant = text(&made["variants"][0]["id"], "/products", "variants[0].id")?;
        Ok(shop)
    }

    /// A new tenant and its first login. Registering has no key: a repeat finds the address taken, which is as good.
    pub(crate) async fn welcome(&self) -> Result<Answered, LoadError> {
        let email = new_email();
        let repeats = self.sign_up(&email).await?;
        let account = json!({"email": email, "password": PASSWORD});
        let session = self.send(Request { body: Some(account), ..post("/auth/login") }).await?;
        Ok(Answered { repeats: session.repeats + repeats, ..session })
    }

    /// Reads the product.
    pub(crate) async fn browse(&self) -> Result<Answered, LoadError> {
        self.send(get(&format!("/products/{}", self.product))).await
    }

    /// Places an order under a key.
    pub(crate) async fn order(&self, key: &str) -> Result<Answered, LoadError> {
        let order = json!({"lines": [{"variantId": self.variant, "quantity": 1}], "note": key});
        self.send(Request { body: Some(order), key: Some(key), ..post("/orders") }).await
    }

    /// How often each key has an order, page by page.
    pub(crate) async fn orders(&self) -> Result<HashMap<String, u32>, LoadError> {
        let mut orders = HashMap::new();
        let mut page_token = String::new();
        loop {
            // Page tokens are base64url: nothing to escape.
            let path = format!("/orders?pageSize=100&pageToken={page_token}");
            let page = self.send(get(&path)).await?.body;
            for order in page["orders"].as_array().into_iter().flatten() {
                *orders.entry(text(&order["note"], &path, "orders[].note")?).or_default() += 1;
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut page_token),
                _ => return Ok(orders),
            }
        }
    }

    async fn sign_up(&self, email: &str) -> Result<u32, LoadError> {
        let account = json!({"email": email, "password": PASSWORD, "tenantName": "Load"});
        match self.send(Request { body: Some(account), ..post("/auth/register") }).await {
            Ok(answered) => Ok(answered.repeats),
            Err(LoadError::Refused { answer, .. }) if answer.contains("EMAIL_TAKEN") => Ok(1),
            Err(error) => Err(error),
        }
    }

    async fn log_in(&self) -> Result<(), LoadError> {
        let account = json!({"email": self.email, "password": PASSWORD});
        // Boxed, because sending logs in again when a token has expired.
        let session = Box::pin(self.send(Request { body: Some(account), ..post("/auth/login") })).await?.body;
        *self.token.write().await = text(&session["token"], "/auth/login", "token")?;
        Ok(())
    }

    async fn send(&self, request: Request<'_>) -> Result<Answered, LoadError> {
        let started = Instant::now();
        let mut repeats = 0;
        loop {
            let last = match self.attempt(&request).await? {
                Attempt::Answered(body) => return Ok(Answered { body, repeats }),
                Attempt::TokenExpired => {
                    self.log_in().await?;
                    continue;
                }
                Attempt::Again(why) => why,
            };
            if started.elapsed() > self.patience {
                return Err(LoadError::Unanswered { request: request.path.to_owned(), last });
            }
            repeats += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Attempt, LoadError> {
        let anonymous = request.path.starts_with("/auth/");
        let mut sent = self.client.request(request.method.clone(), format!("{}{}", self.base, request.path));
        if !anonymous {
            sent = sent.bearer_auth(&*self.token.read().await);
        }
        if let Some(key) = request.key {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let response = match sent.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Again(error.to_string())),
        };
        let status = response.status();
        let answer = match response.text().await {
            Ok(answer) => answer,
            Err(error) => return Ok(Attempt::Again(error.to_string())),
        };
        judge(status, &answer, request.path, anonymous)
    }
}

fn get(path: &str) -> Request<'_> {
    Request { method: Method::GET, path, body: None, key: None }
}

fn post(path: &str) -> Request<'_> {
    Request { method: Method::POST, ..get(path) }
}

fn new_email() -> String {
    format!("load-{:016x}@example.com", fastrand::u64(..))
}

/// What an answer asks of the client.
fn judge(status: StatusCode, answer: &str, path: &str, anonymous: bool) -> Result<Attempt, LoadError> {
    let body: Value = serde_json::from_str(answer).unwrap_or_default();
    if status.is_success() {
        return Ok(Attempt::Answered(body));
    }
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || body["status"] == "ABORTED";
    if passing {
        return Ok(Attempt::Again(format!("{status}: {answer}")));
    }
    if status == StatusCode::UNAUTHORIZED && !anonymous {
        return Ok(Attempt::TokenExpired);
    }
    Err(LoadError::Refused { request: path.to_owned(), answer: format!("{status}: {answer}") })
}

fn text(value: &Value, request: &str, field: &'static str) -> Result<String, LoadError> {
    value.as_str().map(str::to_owned).ok_or_else(|| LoadError::Incomplete { request: request.to_owned(), field })
}
