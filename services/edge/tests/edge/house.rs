//! A mesh with an edge in front of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use weft_access::{AssertionSigner, EDGE};
use weft_cache::InProcess;
use weft_edge::{Edge, Settings};
use weft_testkit::{Backend, Mesh};

use crate::issuer::Issuer;

/// A mesh with an edge in front of it.
pub(crate) struct House {
    pub(crate) mesh: Mesh,
    pub(crate) edge: weft_edge::Running,
    pub(crate) issuer: Arc<Issuer>,
    http: Client,
}

/// What a REST client was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl House {
    /// The notes of the fixture, and an auth domain that the test plays.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with a change of the edge before it starts.
    pub(crate) async fn with(change: impl FnOnce(&mut Edge)) -> Self {
        let issuer = Issuer::new();
        let mesh = Mesh::of([issuer.domain(), weft_edge_fixture::domain()]).start(Backend::Sqlite).await;
        Self::before(mesh, issuer, change).await
    }

    /// The domains that weft has, auth among them.
    pub(crate) async fn of_weft(backend: Backend) -> Self {
        let mesh = Mesh::of([weft_auth::domain(), weft_catalog::domain(), weft_orders::domain()]).start(backend).await;
        Self::before(mesh, Issuer::new(), |_| {}).await
    }

    async fn before(mesh: Mesh, issuer: Arc<Issuer>, change: impl FnOnce(&mut Edge)) -> Self {
        let mut edge = edge_of(&mesh);
        change(&mut edge);
        let edge = edge.start().await.unwrap();
        let http = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { mesh, edge, issuer, http }
    }

    /// Another edge in front of the same mesh.
    pub(crate) fn another(&self) -> Edge {
        edge_of(&self.mesh)
    }

    /// Another edge, whose domains are nowhere to be found any more.
    pub(crate) async fn unserved(self) -> weft_edge::Running {
        let edge = self.another().start().await.unwrap();
        self.mesh.stop().await;
        edge
    }

    /// A token of somebody new with the role `writer`.
    pub(crate) fn token(&self) -> String {
        self.issuer.sign(&Issuer::claims(self.mesh.clock().now()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.edge.local_addr)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        told(self.request("GET", path)).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Told {
        told(self.request("GET", path).bearer_auth(token)).await
    }
}

fn edge_of(mesh: &Mesh) -> Edge {
    let settings = Settings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        revocation_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    let running = mesh.running();
    Edge {
        settings,
        contracts: running.contracts().to_vec(),
        upstreams: running.upstreams(EDGE).unwrap(),
        signer: AssertionSigner::new(running.certificates(), EDGE.parse().unwrap()),
        clock: running.clock().clone(),
        metrics: running.metrics().clone(),
        counters: Arc::new(InProcess::new()),
        limit_factors: running.limit_factors(),
    }
}

/// Sends the request.
pub(crate) async fn told(request: RequestBuilder) -> Told {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Told { status, headers, text: response.text().await.unwrap() }
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    fn detail(&self, name: &str) -> Value {
        let url = format!("type.googleapis.com/google.rpc.{name}");
        let body = self.json();
        let found = body["details"].as_array().and_then(|details| details.iter().find(|detail| detail["@type"] == url).cloned());
        found.unwrap_or_default()
    }

    /// The contract's reason of a failure.
    pub(crate) fn reason(&self) -> String {
        self.detail("ErrorInfo")["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// The machine-readable facts of a failure.
    pub(crate) fn facts(&self) -> Value {
        self.detail("ErrorInfo")["metadata"].clone()
    }

    /// The fields that a failure names, joined by a space.
    pub(crate) fn fields(&self) -> String {
        let detail = self.detail("BadRequest");
        let violations = detail["fieldViolations"].as_array().cloned().unwrap_or_default();
        violations.iter().filter_map(|violation| violation["field"].as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The request that a failure names.
    pub(crate) fn request_id(&self) -> String {
        self.detail("RequestInfo")["requestId"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
