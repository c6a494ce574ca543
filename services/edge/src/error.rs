//! What keeps an edge from starting, and how a failed call looks to a REST client.
//!
//! The body of a failed REST call is the JSON form of `google.rpc.Status` with the details of AIP-193.
//! [`response`] is the one place where an error becomes HTTP; gRPC clients get the same status from
//! [`weft_transport::status_from_error`].

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use weft_call::{Code, Error, FieldViolation, MeshReason, RequestId, status::HELP_ABOUT};
use weft_transport::status_from_error;

use crate::{
    body::{self, Body},
    encoding::Encoding,
    exchange::{Failed, for_client},
};

/// What keeps an edge from starting.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The address cannot be listened on.
    #[error("the edge cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The descriptors cannot be used.
    #[error("the descriptors cannot be used: {0}")]
    Schema(#[from] weft_transcode::SchemaError),
    /// The HTTP rules of the descriptors cannot be used.
    #[error("the routes cannot be used: {0}")]
    Routes(#[from] weft_transcode::RouterError),
    /// The options of a method cannot be read.
    #[error("the options of a method cannot be read: {0}")]
    Options(#[from] prost::DecodeError),
    /// A contract lists a method that its descriptors lack.
    #[error("{method}: the descriptors have no such method")]
    Missing {
        /// The method's path.
        method: &'static str,
    },
    /// Server reflection cannot describe the contracts.
    #[error("server reflection cannot describe the contracts: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Clients cannot be shown a certificate.
    #[error("TLS: {0}")]
    Tls(#[from] crate::listener::tls::TlsError),
    /// The file of descriptors cannot be read.
    #[error("{path}: the descriptors cannot be read: {source}")]
    SchemaFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There are more descriptors than are read.
    #[error("the descriptors are larger than {limit} bytes")]
    SchemaTooLarge {
        /// What is read at most, in bytes.
        limit: usize,
    },
    /// The server's reflection does not give its descriptors.
    #[error(transparent)]
    ServerReflection(#[from] crate::schema::ReflectionError),
    /// The descriptors have no method that could be called.
    #[error("the descriptors have no service with a method")]
    NothingToServe,
    /// The auth domain cannot be called.
    #[error("the auth domain cannot be called: {0}")]
    Upstream(#[from] weft_transport::TransportError),
}

/// A failed REST call.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    status: StatusCode,
    /// What the status demands beside the body.
    header: Option<(HeaderName, HeaderValue)>,
    /// What a server sent beside its status.
    metadata: Option<Box<HeaderMap>>,
}

impl Failure {
    /// The path is served, but not for this method.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let error = Error::new(MeshReason::MethodUnknown, format!("this path is served for {allowed}"));
        Self {
            error,
            status: StatusCode::METHOD_NOT_ALLOWED,
            header: HeaderValue::from_str(allowed).ok().map(|allowed| (header::ALLOW, allowed)),
            metadata: None,
        }
    }

    /// The body is not JSON, by its own account.
    pub(crate) fn unsupported_media_type() -> Self {
        let error = Error::new(MeshReason::HeaderInvalid, "content-type must be application/json in UTF-8")
            .with_metadata("header", "content-type");
        Self { error, status: StatusCode::UNSUPPORTED_MEDIA_TYPE, header: None, metadata: None }
    }

    /// The body is none of Connect's.
    pub(crate) fn unsupported_connect_type(is_unary: bool) -> Self {
        let taken =
            if is_unary { "application/json, application/proto" } else { "application/connect+json, application/connect+proto" };
        let error = Error::new(MeshReason::HeaderInvalid, format!("content-type must be one of {taken}, or one of gRPC"))
            .with_metadata("header", "content-type");
        let header = Some((HeaderName::from_static("accept-post"), HeaderValue::from_static(taken)));
        Self { error, status: StatusCode::UNSUPPORTED_MEDIA_TYPE, header, metadata: None }
    }

    /// The body is packed in a way that is not taken.
    pub(crate) fn unsupported_encoding() -> Self {
        let error = Error::new(MeshReason::HeaderInvalid, format!("content-encoding must be one of {}", Encoding::TAKEN))
            .with_metadata("header", "content-encoding");
        let header = Some((header::ACCEPT_ENCODING, HeaderValue::from_static(Encoding::TAKEN)));
        Self { error, status: StatusCode::UNSUPPORTED_MEDIA_TYPE, header, metadata: None }
    }

    /// The part that is wanted lies outside of what there is.
    pub(crate) fn range_not_satisfiable(total: u64) -> Self {
        let error = Error::without_reason(Code::OutOfRange, format!("there are {total} bytes"));
        let header = HeaderValue::try_from(format!("bytes */{total}")).ok().map(|range| (header::CONTENT_RANGE, range));
        Self { error, status: StatusCode::RANGE_NOT_SATISFIABLE, header, metadata: None }
    }

    /// The client speaks another version of the WebSocket protocol.
    pub(crate) fn upgrade_required(error: Error) -> Self {
        let header = Some((header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
        Self { error, status: StatusCode::UPGRADE_REQUIRED, header, metadata: None }
    }

    /// The page's origin may not do this.
    pub(crate) fn origin_not_allowed() -> Self {
        let error = Error::without_reason(Code::PermissionDenied, "pages of this origin may not call");
        error.into()
    }

    /// An error that HTTP has a word of its own for.
    pub(crate) fn of(status: StatusCode, error: Error) -> Self {
        Self { error, status, header: None, metadata: None }
    }

    /// The path has more segments than any that is served.
    pub(crate) fn uri_too_long() -> Self {
        let error = Error::new(MeshReason::RouteUnknown, "the path has too many segments");
        Self { error, status: StatusCode::URI_TOO_LONG, header: None, metadata: None }
    }

    pub(crate) fn response(&self, request_id: &RequestId) -> Response<Body> {
        let mut response = response(&self.error, self.status, request_id);
        if let Some(metadata) = &self.metadata {
            // What the edge says itself goes before what the server says.
            let own = std::mem::replace(response.headers_mut(), HeaderMap::clone(metadata));
            for (name, value) in &own {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if let Some((name, value)) = &self.header {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl Failure {
    /// The refusal of a request that is no call at all: HTTP's status says it, since no protocol is known to say it in.
    pub(crate) fn plain_response(&self) -> Response<Body> {
        let mut response = Response::new(body::full(self.error.message().to_owned()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some((name, value)) = &self.header {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

/// The error as clients of a server that is no domain know it: without the mesh's reason, which its contracts do not list.
pub(crate) fn without_mesh(error: &Error) -> Error {
    let bare = Error::without_reason(error.code(), error.message());
    let bare = error.violations().iter().cloned().fold(bare, Error::with_violation);
    error.retry_after().into_iter().fold(bare, Error::with_retry_after)
}

/// The error's status in gRPC.
pub(crate) fn grpc_status(error: &Error, request_id: &RequestId, stands_alone: bool) -> tonic::Status {
    if !stands_alone {
        return status_from_error(error, request_id);
    }
    let code = tonic::Code::from_i32(error.code().number());
    let details = weft_call::status::encode(&without_mesh(error), None);
    tonic::Status::with_details(code, error.message(), details.into())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = http_status(&error);
        Self { error, status, header: None, metadata: None }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        let metadata = failed.beside.map(|beside| {
            let mut metadata = for_client(beside.headers);
            metadata.extend(for_client(beside.trailers));
            Box::new(metadata)
        });
        Self { metadata, ..Self::from(failed.error) }
    }
}

/// The status of the error's code, save where HTTP has a better word.
fn http_status(error: &Error) -> StatusCode {
    match error.reason() {
        Some(MeshReason::MessageTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn response(error: &Error, status: StatusCode, request_id: &RequestId) -> Response<Body> {
    let mut response = Response::new(body::full(status_json(error, Some(request_id)).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    advise(error, headers);
    response
}

/// Says in headers what a client may do about the error.
pub(crate) fn advise(error: &Error, headers: &mut HeaderMap) {
    if let Some(wait) = error.retry_after() {
        // In whole seconds (RFC 9110 section 10.2.3); a client that comes too early comes twice.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge(error)));
    }
}

/// RFC 6750 section 3.
fn challenge(error: &Error) -> &'static str {
    match error.reason() {
        Some(MeshReason::CredentialsInvalid | MeshReason::CredentialsExpired) => "Bearer error=\"invalid_token\"",
        _ => "Bearer",
    }
}

/// The JSON form of the error's `google.rpc.Status`.
pub(crate) fn status_json(error: &Error, request_id: Option<&RequestId>) -> Value {
    let mut details = Vec::new();
    if let (Some(reason), Some(domain)) = (error.reason_name(), error.reason_domain()) {
        let metadata = error.metadata();
        details.push(json!({"@type": url("ErrorInfo"), "reason": reason, "domain": domain, "metadata": metadata}));
    }
    if !error.violations().is_empty() {
        let violations: Vec<_> = error.violations().iter().map(violation).collect();
        details.push(json!({"@type": url("BadRequest"), "fieldViolations": violations}));
    }
    if let Some(wait) = error.retry_after() {
        details.push(json!({"@type": url("RetryInfo"), "retryDelay": format!("{}s", wait.as_secs_f64())}));
    }
    if let Some(page) = error.help() {
        details.push(json!({"@type": url("Help"), "links": [{"description": HELP_ABOUT, "url": page}]}));
    }
    if let Some(request_id) = request_id {
        details.push(json!({"@type": url("RequestInfo"), "requestId": request_id.as_str()}));
    }
    // A detail of a type that is not known here is passed on as its bytes rather than dropped.
    let unknown = |detail: &prost_types::Any| json!({"@type": detail.type_url, "value": STANDARD.encode(&detail.value)});
    details.extend(error.details().iter().map(unknown));
    let code = error.code();
    json!({"code": code.number(), "message": error.message(), "status": code.name(), "details": details})
}

fn url(name: &str) -> String {
    format!("type.googleapis.com/google.rpc.{name}")
}

fn violation(violation: &FieldViolation) -> Value {
    let FieldViolation { field, description, rule } = violation;
    match rule.as_str() {
        "" => json!({"field": field, "description": description}),
        rule => json!({"field": field, "description": description, "reason": rule}),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    async fn told(failure: Failure) -> (http::response::Parts, Value) {
        let (parts, body) = failure.response(&RequestId::parse("r-1").unwrap()).into_parts();
        (parts, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    #[tokio::test]
    async fn an_error_is_told_with_its_reason_fields_delay_and_request_but_not_its_cause() {
        let foreign = prost_types::Any { type_url: "example.com/x.Y".into(), value: vec![1, 2] };
        let status = weft_call::status::encode(
            &Error::new(MeshReason::RateLimited, "slow down")
                .with_metadata("limit", "5")
                .with_violation(FieldViolation {
                    field: "a.b".into(),
                    description: "must be 1".into(),
                    rule: "int64.const".into(),
                })
                .with_retry_after(Duration::from_millis(1500)),
            None,
        );
        // A detail of foreign type can only come from a peer: field 3 of the status, appended.
        let mut status = status;
        let any = prost::Message::encode_to_vec(&foreign);
        status.extend([0x1a, u8::try_from(any.len()).unwrap()]);
        status.extend(any);
        let error = weft_call::status::decode(Code::ResourceExhausted, "slow down", &status).with_source("hunter2");
        let (parts, body) = told(error.into()).await;
        assert_eq!(parts.status, 429);
        assert_eq!(parts.headers["retry-after"], "2");
        assert_eq!(parts.headers["content-type"], "application/json");
        let expected = json!({
            "code": 8, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMITED", "domain": "weft.mesh.v1",
                 "metadata": {"limit": "5"}},
                {"@type": "type.googleapis.com/google.rpc.BadRequest",
                 "fieldViolations": [{"field": "a.b", "description": "must be 1", "reason": "int64.const"}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"},
                {"@type": "type.googleapis.com/google.rpc.Help",
                 "links": [{"description": "what it means and what to do", "url": "/docs/errors/weft.mesh.v1/RATE_LIMITED"}]},
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r-1"},
                {"@type": "example.com/x.Y", "value": "AQI="},
            ],
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn missing_and_bad_credentials_are_told_apart() {
        for (reason, challenge) in [
            (MeshReason::CredentialsMissing, "Bearer"),
            (MeshReason::CredentialsInvalid, "Bearer error=\"invalid_token\""),
            (MeshReason::CredentialsExpired, "Bearer error=\"invalid_token\""),
        ] {
            let (parts, _) = told(Error::new(reason, "no").into()).await;
            assert_eq!((parts.status.as_u16(), &parts.headers["www-authenticate"]), (401, &challenge.parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn http_has_its_own_words_for_some_failures() {
        let (parts, body) = told(Failure::method_not_allowed("GET, HEAD")).await;
        assert_eq!((parts.status.as_u16(), body["status"].as_str()), (405, Some("UNIMPLEMENTED")));
        assert_eq!(parts.headers["allow"], "GET, HEAD");
        assert_eq!(told(Failure::unsupported_media_type()).await.0.status, 415);
        assert_eq!(told(Error::new(MeshReason::MessageTooLarge, "large").into()).await.0.status, 413);
    }
}
