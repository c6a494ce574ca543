//! Cross-origin requests (the Fetch standard, "CORS protocol"): a page of another origin reads answers only if the
//! operator names the origin. None is named by default.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::body::{self, Body};

/// How long a browser may remember what a preflight said, in seconds.
const MAX_AGE: &str = "7200";
/// What pages may read beside what the standard lets them read anyway.
const EXPOSED: &str = "etag, location, retry-after, x-request-id, ratelimit, ratelimit-policy, grpc-status, grpc-message, \
                       grpc-status-details-bin";

/// The origins whose pages may read answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    named: Vec<String>,
    all: bool,
}

impl Origins {
    /// `*` stands for all of them.
    pub(crate) fn new(origins: &[String]) -> Self {
        Self { all: origins.iter().any(|origin| origin == "*"), named: origins.to_vec() }
    }

    /// The origin that asks, if it may.
    fn allowed<'o>(&self, origin: Option<&'o HeaderValue>) -> Option<&'o HeaderValue> {
        let origin = origin?;
        let named = || self.named.iter().any(|named| named.as_bytes().eq_ignore_ascii_case(origin.as_bytes()));
        (self.all || named()).then_some(origin)
    }

    /// Lets the page that asked read the answer.
    pub(crate) fn admit(&self, origin: Option<&HeaderValue>, answered: &mut HeaderMap) {
        if self.all || !self.named.is_empty() {
            answered.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.allowed(origin) {
            answered.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answered.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// Whether a page may open a WebSocket, which browsers let every page do: one of a named origin, or of the host that
    /// it asks. Who is no page sends no origin.
    pub(crate) fn may_connect(&self, asked: &HeaderMap) -> bool {
        let Some(origin) = asked.get(header::ORIGIN) else { return true };
        let own = |origin: &str| {
            let host = asked.get(header::HOST).and_then(|host| host.to_str().ok());
            origin.split_once("://").is_some_and(|(_, origin)| host.is_some_and(|host| host.eq_ignore_ascii_case(origin)))
        };
        self.allowed(Some(origin)).is_some() || origin.to_str().is_ok_and(own)
    }

    /// The answer to OPTIONS for a path that is served for these methods.
    pub(crate) fn options(&self, asked: &HeaderMap, methods: &HeaderValue) -> Response<Body> {
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, methods.clone());
        if self.allowed(asked.get(header::ORIGIN)).is_some() && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
            // Headers that the edge does not know go nowhere, so none needs to be kept from it.
            if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            let varies: [HeaderName; 2] = [header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_REQUEST_HEADERS];
            for name in varies {
                headers.append(header::VARY, HeaderValue::from_name(name));
            }
        }
        response
    }
}
