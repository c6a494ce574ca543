//! gRPC-Web (PROTOCOL-WEB.md of the gRPC repository): gRPC for clients that cannot read trailers, over any version of
//! HTTP.
//!
//! The messages pass unread, as in gRPC. What differs is the end: the trailers are a last frame of the body, marked by
//! a flag. As `application/grpc-web-text` everything is in base64. An answer without messages has its outcome in its
//! headers, as gRPC's has.

mod body;

use http::{HeaderValue, Method, Request, Response, header};
use weft_call::{Error, MeshReason};

use crate::{
    body::{Body, Lingering, inbound, passed_on},
    catalogue::Catalogue,
    error::Failure,
    front::Front,
    grpc,
    record::Observation,
};
use body::{FromText, ToWeb};

const BINARY: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";

/// Whether the request is gRPC-Web.
pub(crate) fn is_spoken<B>(request: &Request<B>) -> bool {
    form(request).is_some()
}

/// Whether the request is in base64; none if it is no gRPC-Web.
fn form<B>(request: &Request<B>) -> Option<bool> {
    let kind = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let is = |name: &str| kind.strip_prefix(name).is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'+' | b';')));
    if is(TEXT) { Some(true) } else { is(BINARY).then_some(false) }
}

/// Answers a request of gRPC-Web.
pub(crate) async fn answer(
    front: &Front,
    catalogue: &Catalogue,
    mut observation: Observation,
    request: Request<Lingering>,
) -> Response<Body> {
    let is_text = form(&request) == Some(true);
    if request.method() != Method::POST {
        let failure = Failure::method_not_allowed("OPTIONS, POST");
        observation.fail(&failure.error);
        return failure.plain_response();
    }
    let (mut parts, body) = request.into_parts();
    let Some(kind) = inner_type(parts.headers.get(header::CONTENT_TYPE)) else {
        let failure = Failure::from(Error::new(MeshReason::HeaderInvalid, "content-type: cannot be read"));
        observation.fail(&failure.error);
        return failure.response(&observation.arrival.request_id);
    };
    let answer_type = answer_type(&kind, is_text);
    parts.headers.insert(header::CONTENT_TYPE, kind);
    let body = if is_text { inbound(FromText::new(body)) } else { inbound(body) };
    let mut response = grpc::answer(front, catalogue, observation, Request::from_parts(parts, body)).await;
    response.headers_mut().insert(header::CONTENT_TYPE, answer_type);
    // What the domain said of the length counts neither the trailers nor the base64.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.map(|body| passed_on(ToWeb::new(body, is_text)))
}

/// The type of an answer, whose messages are written as the requests were.
fn answer_type(inner: &HeaderValue, is_text: bool) -> HeaderValue {
    let name = if is_text { TEXT } else { BINARY };
    let written = inner.to_str().ok().and_then(|kind| kind.strip_prefix("application/grpc+")?.split(';').next());
    let kind = format!("{name}+{}", written.unwrap_or("proto"));
    HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static(BINARY))
}

/// The type of the same messages in gRPC.
fn inner_type(kind: Option<&HeaderValue>) -> Option<HeaderValue> {
    let kind = kind?.to_str().ok()?;
    let rest = kind.strip_prefix(TEXT).or_else(|| kind.strip_prefix(BINARY))?;
    HeaderValue::try_from(format!("application/grpc{rest}")).ok()
}
