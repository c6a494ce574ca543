//! The shop over REST, as a patient client uses it: what a dying process explains is sent again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::error::CrashError;

/// How long one request may stay unanswered over all its attempts. A restart takes a fraction of it.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(10);

const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "a password of the crash test";

/// A tenant with one product, and its owner's access.
pub(crate) struct Shop {
    client: Client,
    base: String,
    token: RwLock<String>,
    variant: String,
}

/// An answered request.
pub(crate) struct Answered {
    pub(crate) body: Value,
    /// When each attempt failed that came before, by the clock that orders are stamped with.
    pub(crate) failures: Vec<chrono::DateTime<chrono::Utc>>,
}

/// An order as the shop tells it.
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) attempts: usize,
    /// The order was placed by an attempt whose answer never came.
    pub(crate) answer_was_lost: bool,
}

enum Attempt {
    Answered(Value),
    Again(String),
    TokenExpired,
}

impl Shop {
    /// Registers an owner, logs in and makes the product; waits for the edge to serve.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, CrashError> {
        let client = Client::builder().timeout(ATTEMPT).build().map_err(|error| CrashError::Client(error.to_string()))?;
        let base = format!("http://{address}/api/v1");
        let mut shop = Self { client, base, token: RwLock::default(), variant: String::new() };
        let account = json!({"email": EMAIL, "password": PASSWORD, "tenantName": "Crash test"});
        shop.send(Method::POST, "/auth/register", Some(&account), None).await?;
        shop.log_in().await?;
        let product = json!({
            "name": "Anvil",
            "variants": [{"sku": "ANVIL-1", "price": {"currencyCode": "EUR", "minorUnits": "4200"}}],
        });
        let made = shop.send(Method::POST, "/products", Some(&product), Some("product")).await?;
        shop.variant = text(&made.body["variants"][0]["id"], "/products", "variants[0].id")?;
        Ok(shop)
    }

    /// Places an order under a key, sending it until it is answered.
    pub(crate) async fn place(&self, key: &str) -> Result<Order, CrashError> {
        let order = json!({"lines": [{"variantId": self.variant, "quantity": 1}], "note": key});
        let answered = self.send(Method::POST, "/orders", Some(&order), Some(key)).await?;
        let created = text(&answered.body["createTime"], "/orders", "createTime")?;
        let created = chrono::DateTime::parse_from_rfc3339(&created)
            .map_err(|_| CrashError::Incomplete { request: "/orders".to_owned(), field: "readable createTime" })?;
        Ok(Order {
            id: text(&answered.body["id"], "/orders", "id")?,
            attempts: answered.failures.len() + 1,
            answer_was_lost: answered.failures.iter().any(|failed| created < *failed),
        })
    }

    /// The ids of all orders, page by page.
    pub(crate) async fn list(&self) -> Result<Vec<String>, CrashError> {
        let mut ids = Vec::new();
        let mut page_token = String::new();
        loop {
            // Page tokens are base64url: nothing to escape.
            let path = format!("/orders?pageSize=100&pageToken={page_token}");
            let page = self.send(Method::GET, &path, None, None).await?.body;
            for order in page["orders"].as_array().into_iter().flatten() {
                ids.push(text(&order["id"], &path, "orders[].id")?);
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut page_token),
                _ => return Ok(ids),
            }
        }
    }

    async fn log_in(&self) -> Result<(), CrashError> {
        let account = json!({"email": EMAIL, "password": PASSWORD});
        // Boxed, because sending logs in again when a token has expired.
        let session = Box::pin(self.send(Method::POST, "/auth/login", Some(&account), None)).await?;
        *self.token.write().await = text(&session.body["token"], "/auth/login", "token")?;
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Answered, CrashError> {
        let started = Instant::now();
        let mut failures = Vec::new();
        loop {
            let last = match self.attempt(method.clone(), path, body, key).await? {
                Attempt::Answered(body) => return Ok(Answered { body, failures }),
                Attempt::TokenExpired => {
                    self.log_in().await?;
                    continue;
                }
                Attempt::Again(why) => why,
            };
            failures.push(chrono::Utc::now());
            if started.elapsed() > PATIENCE {
                return Err(CrashError::NoAnswer { request: path.to_owned(), last });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Attempt, CrashError> {
        let token = self.token.read().await.clone();
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(&token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Again(error.to_string())),
        };
        let status = response.status();
        let answer = match response.text().await {
            Ok(answer) => answer,
            Err(error) => return Ok(Attempt::Again(error.to_string())),
        };
        judge(status, &answer, path, !token.is_empty())
    }
}

/// What an answer asks of the client.
fn judge(status: StatusCode, answer: &str, path: &str, with_token: bool) -> Result<Attempt, CrashError> {
    let body: Value = serde_json::from_str(answer).unwrap_or_default();
    if status.is_success() {
        return Ok(Attempt::Answered(body));
    }
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || body["status"] == "ABORTED";
    if passing {
        return Ok(Attempt::Again(format!("{status}: {answer}")));
    }
    if status == StatusCode::UNAUTHORIZED && with_token && path != "/auth/login" {
        return Ok(Attempt::TokenExpired);
    }
    Err(CrashError::Refused { request: path.to_owned(), answer: format!("{status}: {answer}") })
}

fn text(value: &Value, request: &str, field: &'static str) -> Result<String, CrashError> {
    value.as_str().map(str::to_owned).ok_or_else(|| CrashError::Incomplete { request: request.to_owned(), field })
}
