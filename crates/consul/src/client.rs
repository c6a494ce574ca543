//! HTTP to one agent.
//!
//! Why not a crate: `rs-consul` registers in the catalogue only, without the agent's checks;
//! `consulrs` and `consul` stand still since 2021 on an HTTP stack that brings OpenSSL or a second
//! rustls; none treats the index of a blocking query as Consul asks. Why not reqwest: its rustls has
//! either aws-lc or no provider at all, for every other user of reqwest in the same build too.
//!
//! Every request has a limit of time and its answer one of size. The token is in a header that
//! `Debug` does not show.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use crate::{ConsulError, ConsulSettings, Token, tls};

/// For everything but blocking queries, which wait on purpose.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Some ten thousand instances.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// As much of a refusal as goes to the log.
const REASON_LIMIT: usize = 200;

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");

/// What the agent answered.
pub struct Answer {
    /// The state of the agent's knowledge that it stands for; 0 if the agent did not say.
    pub index: u64,
    /// The JSON text. It may hold a private key, so `Debug` does not show it.
    pub body: Bytes,
}

/// What the agent holds under a key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The state of the agent's knowledge that it stands for; 0 if the agent did not say.
    pub index: u64,
    /// The text; nothing if there is no such key.
    pub text: Option<SecretString>,
}

/// An answer of any status.
struct Reply {
    status: StatusCode,
    answer: Answer,
}

impl Reply {
    fn granted(self) -> Result<Answer, ConsulError> {
        if self.status.is_success() {
            return Ok(self.answer);
        }
        let reason = String::from_utf8_lossy(&self.answer.body).trim().chars().take(REASON_LIMIT).collect();
        Err(ConsulError::Refused { status: self.status, reason })
    }
}

/// Speaks to one agent.
#[derive(Debug)]
pub struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: Url,
    token: Token,
}

impl Client {
    /// Speaks to nobody yet. Fails when the settings do not suit each other or the authority's file cannot be used.
    pub fn new(settings: &ConsulSettings) -> Result<Self, ConsulError> {
        let address = settings.address.clone();
        if address.cannot_be_a_base() {
            return Err(ConsulError::Address(address));
        }
        let tls = tls::config(settings)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, address, token: settings.token.clone() })
    }

    /// `GET`s a path, by a blocking query: with an index above 0 it is answered when what the agent knows has changed
    /// since, or after `wait` and up to a sixteenth more. `flag` is a parameter of the query, if one is needed.
    pub async fn get(&self, path: &[&str], flag: Option<&str>, index: u64, wait: Duration) -> Result<Answer, ConsulError> {
        self.ask(path, flag, index, wait).await?.granted()
    }

    /// The text under a key, by a blocking query as in [`Client::get`]; nothing if there is no such key.
    pub async fn key(&self, key: &str, index: u64, wait: Duration) -> Result<Key, ConsulError> {
        let path: Vec<_> = ["v1", "kv"].into_iter().chain(key.split('/')).collect();
        let reply = self.ask(&path, Some("raw"), index, wait).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(Key { index: reply.answer.index, text: None });
        }
        let Answer { index, body } = reply.granted()?;
        let text = String::from_utf8(body.into()).map_err(|_| ConsulError::NotText { key: key.to_owned() })?;
        Ok(Key { index, text: Some(SecretString::from(text)) })
    }

    async fn ask(&self, path: &[&str], flag: Option<&str>, index: u64, wait: Duration) -> Result<Reply, ConsulError> {
        let mut url = self.url(path, flag)?;
        let mut limit = REQUEST_LIMIT;
        if index > 0 {
            let wait_text = format!("{}ms", wait.as_millis());
            url.query_pairs_mut().append_pair("index", &index.to_string()).append_pair("wait", &wait_text);
            limit += wait + wait / 16;
        }
        self.send(Method::GET, &url, Bytes::new(), limit).await
    }

    /// `GET`s a path with parameters, and is answered at once.
    pub async fn query(&self, path: &[&str], parameters: &[(&str, &str)]) -> Result<Answer, ConsulError> {
        let mut url = self.url(path, None)?;
        url.query_pairs_mut().extend_pairs(parameters);
        self.send(Method::GET, &url, Bytes::new(), REQUEST_LIMIT).await?.granted()
    }

    /// `PUT`s a body as JSON.
    pub async fn put(&self, path: &[&str], flag: Option<&str>, body: &impl Serialize) -> Result<(), ConsulError> {
        let url = self.url(path, flag)?;
        let body = serde_json::to_vec(body)?.into();
        self.send(Method::PUT, &url, body, REQUEST_LIMIT).await?.granted().map(drop)
    }

    async fn send(&self, method: Method, url: &Url, body: Bytes, limit: Duration) -> Result<Reply, ConsulError> {
        let answered = tokio::time::timeout(limit, self.exchange(method, url, body)).await;
        answered.map_err(|_| ConsulError::Late(limit))?
    }

    async fn exchange(&self, method: Method, url: &Url, body: Bytes) -> Result<Reply, ConsulError> {
        let mut request = Request::builder().method(method).uri(url.as_str()).header(header::ACCEPT, "application/json");
        if let Some(token) = self.token.header() {
            request = request.header(TOKEN, token);
        }
        let (head, body) = self.http.request(request.body(Full::new(body))?).await?.into_parts();
        let broken = |source| ConsulError::Answer { limit: ANSWER_LIMIT, source };
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(broken)?.to_bytes();
        let index = head.headers.get(INDEX).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        Ok(Reply { status: head.status, answer: Answer { index, body } })
    }

    fn url(&self, path: &[&str], flag: Option<&str>) -> Result<Url, ConsulError> {
        let mut url = self.address.clone();
        url.path_segments_mut().map_err(|()| ConsulError::Address(self.address.clone()))?.pop_if_empty().extend(path);
        if let Some(flag) = flag {
            url.query_pairs_mut().append_pair(flag, "true");
        }
        Ok(url)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("index", &self.index).field("bytes", &self.body.len()).finish()
    }
}
