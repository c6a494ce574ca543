//! The shop as a client from outside sees it: one tenant, through the edge, by REST and by gRPC.
//!
//! A call is sent once. What fails is not sent again: to hide a failure is what the mesh promises.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use weft_contracts_orders::{CancelOrderRequest, CreateOrderRequest, GetOrderRequest, Order, OrderedVariant};

use crate::error::ProofError;

/// Longer than any deadline of the contracts, so that the mesh always has the last word.
const PATIENCE: Duration = Duration::from_secs(15);
const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "a password of the mesh proof";
/// Products, and orders, that calls are spread over.
const SPREAD: usize = 40;

/// A tenant with products and orders, and the access of its owner.
pub(crate) struct Shop {
    rest: Client,
    base: String,
    grpc: Channel,
    token: String,
    bearer: MetadataValue<Ascii>,
    products: Vec<Product>,
    orders: Vec<String>,
}

struct Product {
    id: String,
    variant: String,
}

impl Shop {
    /// Opens an account and fills the shop. Nothing is broken yet, so nothing may fail.
    pub(crate) async fn open(edge: SocketAddr) -> Result<Self, ProofError> {
        let client = |error: reqwest::Error| ProofError::Client(error.to_string());
        let grpc = Endpoint::from_shared(format!("http://{edge}"))
            .map_err(|error| ProofError::Client(error.to_string()))?
            .connect_lazy();
        let mut shop = Self {
            rest: Client::builder().timeout(PATIENCE).build().map_err(client)?,
            base: format!("http://{edge}/api/v1"),
            grpc,
            token: String::new(),
            bearer: MetadataValue::from_static(""),
            products: Vec::new(),
            orders: Vec::new(),
        };
        let account = json!({"email": EMAIL, "password": PASSWORD, "tenantName": "Proof"});
        shop.prepare("/auth/register", &account, None).await?;
        let session = shop.prepare("/auth/login", &json!({"email": EMAIL, "password": PASSWORD}), None).await?;
        shop.token = text(&session["token"]);
        shop.bearer =
            format!("Bearer {}", shop.token).parse().map_err(|_| ProofError::Client("the token is no header".into()))?;
        for number in 0..SPREAD {
            let product = json!({
                "name": format!("Anvil {number}"),
                "variants": [{"sku": format!("ANVIL-{number}"), "price": {"currencyCode": "EUR", "minorUnits": "4200"}}],
            });
            let made = shop.prepare("/products", &product, Some(&format!("product-{number}"))).await?;
            shop.products.push(Product { id: text(&made["id"]), variant: text(&made["variants"][0]["id"]) });
        }
        for number in 0..SPREAD {
            let key = format!("prepared-{number}");
            let order = json!({"lines": [{"variantId": shop.variant(number), "quantity": 1}], "note": key});
            let made = shop.prepare("/orders", &order, Some(&key)).await?;
            shop.orders.push(text(&made["id"]));
        }
        Ok(shop)
    }

    /// READ, edge to catalog.
    pub(crate) async fn read_by_rest(&self, number: usize) -> Result<(), String> {
        self.send(Method::GET, &format!("/products/{}", self.product(number).id), None, None).await.map(drop)
    }

    /// READ, edge to orders.
    pub(crate) async fn read_by_grpc(&self, number: usize) -> Result<(), String> {
        let request = GetOrderRequest { id: self.order(number) };
        self.call::<_, Order>("/weft.orders.v1.Orders/GetOrder", request, None).await.map(drop)
    }

    /// NATURAL, edge to catalog: a product gets another description.
    pub(crate) async fn natural_by_rest(&self, number: usize) -> Result<(), String> {
        let path = format!("/products/{}?updateMask=description", self.product(number).id);
        let product = json!({"description": format!("the description number {number}")});
        self.send(Method::PATCH, &path, Some(&product), None).await.map(drop)
    }

    /// NATURAL, edge to orders: an order is cancelled, once and for all.
    pub(crate) async fn natural_by_grpc(&self, number: usize) -> Result<(), String> {
        let request = CancelOrderRequest { id: self.order(number), etag: String::new() };
        self.call::<_, Order>("/weft.orders.v1.Orders/CancelOrder", request, None).await.map(drop)
    }

    /// KEYED, edge to orders to catalog: an order whose note is its key.
    pub(crate) async fn keyed_by_rest(&self, number: usize, key: &str) -> Result<(), String> {
        let order = json!({"lines": [{"variantId": self.variant(number), "quantity": 1}], "note": key});
        self.send(Method::POST, "/orders", Some(&order), Some(key)).await.map(drop)
    }

    /// The same by gRPC.
    pub(crate) async fn keyed_by_grpc(&self, number: usize, key: &str) -> Result<(), String> {
        let lines = vec![OrderedVariant { variant_id: self.variant(number), quantity: 1 }];
        let request = CreateOrderRequest { lines, note: key.to_owned() };
        self.call::<_, Order>("/weft.orders.v1.Orders/CreateOrder", request, Some(key)).await.map(drop)
    }

    fn product(&self, number: usize) -> &Product {
        &self.products[spread(number) % self.products.len()]
    }

    fn variant(&self, number: usize) -> String {
        self.product(number).variant.clone()
    }

    fn order(&self, number: usize) -> String {
        self.orders[spread(number) % self.orders.len()].clone()
    }

    async fn prepare(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value, ProofError> {
        let unprepared = |answer| ProofError::Unprepared { request: path.to_owned(), answer };
        self.send(Method::POST, path, Some(body), key).await.map_err(unprepared)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Value, String> {
        let mut request = self.rest.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status();
        let answer = response.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {answer}"));
        }
        serde_json::from_str(&answer).map_err(|error| error.to_string())
    }

    async fn call<Q, A>(&self, path: &'static str, request: Q, key: Option<&str>) -> Result<A, String>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut request = Request::new(request);
        request.set_timeout(PATIENCE);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        if let Some(key) = key {
            request.metadata_mut().insert("idempotency-key", key.parse().map_err(|_| "the key is no header".to_owned())?);
        }
        let mut grpc = Grpc::new(self.grpc.clone());
        grpc.ready().await.map_err(|error| error.to_string())?;
        let answer = grpc.unary(request, PathAndQuery::from_static(path), ProstCodec::default()).await;
        answer.map(tonic::Response::into_inner).map_err(|status| format!("{:?}: {}", status.code(), status.message()))
    }
}

/// Calls of one kind come at regular numbers, and are to meet at no product (Knuth's multiplicative hash).
fn spread(number: usize) -> usize {
    number.wrapping_mul(2_654_435_761) >> 16
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
