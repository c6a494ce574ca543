//! The span of a request at the edge, by OpenTelemetry's semantic conventions for HTTP servers.
//!
//! Its query is left out: it may hold what nobody should read.

use std::net::IpAddr;

use opentelemetry::trace::TraceContextExt;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use weft_call::TraceContext;

use crate::{propagation::adopt_parent, sampling::is_sampled, spans::TRACE};

/// The methods that may be part of a name; strangers may send any.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A request of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The path, without the query.
    pub path: &'a str,
    /// The version of HTTP: `1.1`.
    pub version: &'static str,
    /// Who sent it.
    pub client: IpAddr,
}

/// The span of a request. Its parent is the client's span, if the client said so.
pub fn http_span(request: HttpRequest<'_>, trace: &TraceContext) -> Span {
    if !is_sampled(trace) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACE,
        parent: None,
        "request",
        otel.name = known(request.method).unwrap_or("HTTP"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = known(request.method).unwrap_or("_OTHER"),
        http.route = Empty,
        http.response.status_code = Empty,
        url.scheme = request.scheme,
        url.path = request.path,
        network.protocol.version = request.version,
        client.address = %request.client,
        rpc.grpc.status_code = Empty,
        error.type = Empty,
    );
    adopt_parent(&span, trace);
    span
}

/// Says which route the request goes by, as the contract writes it.
pub fn record_route(span: &Span, method: &str, route: &str) {
    if span.is_disabled() {
        return;
    }
    span.record("http.route", route);
    span.context().span().update_name(format!("{} {route}", known(method).unwrap_or("HTTP")));
}

/// Says which HTTP status the request is answered with.
pub fn record_http_status(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
}

fn known(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method)
}
