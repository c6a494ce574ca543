//! One request, from its first header to its answer.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use weft_call::{Clock, Error};
use weft_telemetry::{HttpRequest, Metrics, SideMetrics};
use weft_transcode::RequestOptions;
use weft_transport::{Upstreams, metadata};

use crate::{
    arrival::Arrival,
    authenticate::Authenticator,
    body::{self, Body, Lingering},
    catalogue::Catalogue,
    connect,
    cors::Origins,
    encoding,
    error::Failure,
    grpc, grpc_web,
    proxies::Proxies,
    rate_limits::RateLimits,
    record::Observation,
    reference, request_limits, rest,
    settings::Settings,
    websocket,
};

/// What answers requests: tables that are made once, and the ways to the domains.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) settings: Settings,
    pub(crate) proxies: Proxies,
    /// Clients are asked to go elsewhere.
    pub(crate) leave: CancellationToken,
    /// How REST requests are read.
    pub(crate) request_options: RequestOptions,
    pub(crate) origins: Origins,
    pub(crate) catalogue: ArcSwap<Catalogue>,
    /// None for an edge that stands alone: then the server behind has its own, or none.
    pub(crate) own: Option<grpc::OwnServices>,
    /// None for an edge that stands alone: then the server behind checks credentials itself.
    pub(crate) authenticator: Option<Authenticator>,
    pub(crate) limits: RateLimits,
    pub(crate) upstreams: Upstreams,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    /// Of it, those of requests.
    pub(crate) calls: Arc<SideMetrics>,
}

impl Front {
    /// Whether what is behind is no mesh, but a server that takes what clients send.
    pub(crate) fn stands_alone(&self) -> bool {
        self.authenticator.is_none()
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let mut arrival = Arrival::new(request.headers(), self.proxies.client(peer.ip(), request.headers()));
        let (request_id, standings) = (arrival.request_id.clone(), arrival.standings.clone());
        let scheme = if self.settings.tls.is_some() { "https" } else { "http" };
        let (span, lines) = spans(&request, &arrival, scheme);
        arrival.trace = weft_telemetry::within(&span, &arrival.trace);
        let observation = Observation::new(arrival, Arc::clone(&self.calls), span.clone());
        let is_last = request_limits::is_last(&request) || self.leaves(&request);
        let is_head = request.method() == Method::HEAD;
        let origin = request.headers().get(header::ORIGIN).cloned();
        // A fault of ours in one request must not take down the others of its connection.
        let responding = AssertUnwindSafe(self.respond(observation, request)).catch_unwind();
        let mut response = responding.instrument(span.clone()).instrument(lines).await.unwrap_or_else(|_| {
            tracing::error!(request_id = request_id.as_str(), "the edge panicked");
            Failure::from(Error::internal("the edge panicked")).response(&request_id)
        });
        standings.tell(response.headers_mut());
        weft_telemetry::record_http_status(&span, response.status().as_u16());
        self.origins.admit(origin.as_ref(), response.headers_mut());
        if is_head {
            response = without_body(response);
        }
        if is_last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        metadata::set_request_id(&request_id, response.headers_mut());
        response
    }

    /// Whether the client is asked to make its next request elsewhere. Over HTTP/2 the connection asks.
    fn leaves<B>(&self, request: &Request<B>) -> bool {
        self.leave.is_cancelled() && request.version() == Version::HTTP_11 && !request.headers().contains_key(header::UPGRADE)
    }

    /// What answers is boxed by protocol: each future is as large as all that it may do, and is copied when it is handed on.
    async fn respond(&self, mut observation: Observation, request: Request<Incoming>) -> Response<Body> {
        if let Err(failure) = request_limits::check(&request, &self.settings) {
            observation.fail(&failure.error);
            return failure.response(&observation.arrival.request_id);
        }
        let catalogue = self.catalogue.load_full();
        if is_grpc(&request) {
            return Box::pin(grpc::answer(self, &catalogue, observation, request.map(body::inbound))).await;
        }
        if websocket::is_asked_for(&request) {
            return Box::pin(websocket::answer(self, catalogue, observation, request)).await;
        }
        let version = request.version();
        let request = request.map(|body| Lingering::new(body, version));
        if grpc_web::is_spoken(&request) && request.method() != Method::OPTIONS {
            return Box::pin(grpc_web::answer(self, &catalogue, observation, request)).await;
        }
        let accepted = request.headers().get(header::ACCEPT_ENCODING).cloned();
        if let Some(shown) = reference::at(self, &catalogue, request.uri().path()) {
            let (parts, _) = request.into_parts();
            let answered = Box::pin(reference::answer(&self.origins, catalogue, observation, &parts, shown)).await;
            return encoding::packed(answered, accepted.as_ref()).await;
        }
        if request.method() == Method::OPTIONS
            && let Some(response) = self.options(&catalogue, request.uri().path(), request.headers())
        {
            return response;
        }
        if catalogue.method(request.uri().path()).is_some() {
            return Box::pin(connect::answer(self, catalogue, observation, request)).await;
        }
        if connect::is_meant(&request) {
            return connect::unknown(observation);
        }
        let response = Box::pin(rest::answer(self, catalogue, observation, request)).await;
        encoding::packed(response, accepted.as_ref()).await
    }

    /// The answer to OPTIONS, unless a contract has its own.
    fn options(&self, catalogue: &Catalogue, path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
        if let Some(served) = catalogue.method(path) {
            let methods = connect::methods(served.contract);
            return Some(self.origins.options(asked, &HeaderValue::from_static(methods)));
        }
        let methods = catalogue.methods_of(path)?;
        if catalogue.route(&Method::OPTIONS, path).is_ok() {
            return None;
        }
        HeaderValue::from_str(&methods).ok().map(|methods| self.origins.options(asked, &methods))
    }
}

/// The span of the request in its trace, and the one that its log lines are in.
fn spans<B>(request: &Request<B>, arrival: &Arrival, scheme: &'static str) -> (Span, Span) {
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let (method, path, client) = (request.method().as_str(), request.uri().path(), arrival.client);
    let span = weft_telemetry::http_span(HttpRequest { method, scheme, path, version, client }, &arrival.trace);
    // Made only where lines are written at all.
    let lines = tracing::info_span!(
        target: weft_telemetry::LINES,
        "request",
        request_id = arrival.request_id.as_str(),
        trace_id = arrival.trace.trace(),
    );
    (span, lines)
}

/// The answer to HEAD: the headers of the answer to GET (RFC 9110 section 9.3.2).
fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response.map(|_| body::empty())
}

/// gRPC over HTTP/2. `application/grpc-web` is another protocol.
fn is_grpc<B>(request: &Request<B>) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return false };
    let rest = value.as_bytes().strip_prefix(b"application/grpc");
    request.version() == Version::HTTP_2 && rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn grpc_is_told_from_other_protocols() {
        let request = |version, content_type: &str| {
            Request::builder().version(version).header(header::CONTENT_TYPE, content_type).body(()).unwrap()
        };
        for good in ["application/grpc", "application/grpc+proto", "application/grpc;v=1"] {
            assert!(is_grpc(&request(Version::HTTP_2, good)), "{good}");
            assert!(!is_grpc(&request(Version::HTTP_11, good)), "{good}");
        }
        for bad in ["application/grpc-web", "application/json"] {
            assert!(!is_grpc(&request(Version::HTTP_2, bad)), "{bad}");
        }
    }
}
