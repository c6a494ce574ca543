//! REST: a request becomes the message that the method takes, its answer becomes JSON.

mod fields;
mod request;
mod response;
mod routes;
mod template;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header, request::Parts};
use http_body::Body as HttpBody;
use prost::Message as _;
use weft_call::{Call, Deadline, Error, MeshReason, MethodContract, MethodKind, Payload, Result};

pub(crate) use routes::Routes;

use crate::{
    arrival,
    body::{self, Body},
    error::Failure,
    front::Front,
    record::Observation,
};
use routes::{Found, Route};

/// Answers a REST request.
pub(crate) async fn answer<B>(
    front: &Front,
    observation: &mut Observation,
    request: Request<B>,
) -> Result<Response<Body>, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let Found { route, captures } = front.routes.find(&parts.method, parts.uri.path())?;
    let method = route.method;
    observation.method = Some(method);
    if method.kind != MethodKind::Unary {
        let message = format!("{} streams, which is served as gRPC only", method.path);
        return Err(Error::new(MeshReason::MethodUnknown, message).into());
    }
    let deadline = observation.arrival.deadline(method, &parts.headers)?;
    let work = async {
        let call = admit(front, observation, method, &parts, deadline).await?;
        let media_type = require_json(&parts.headers);
        let body = body::read(body, front.settings.max_body).await?;
        if !body.is_empty() {
            media_type?;
        }
        exchange(front, route, &call, &captures, &parts.uri, &body).await
    };
    match deadline {
        None => work.await,
        Some(deadline) => tokio::time::timeout_at(deadline.instant(), work).await.map_err(|_| late(method))?,
    }
}

fn late(method: &MethodContract) -> Failure {
    Error::new(MeshReason::DeadlineSpent, format!("{} took longer than it may", method.path)).into()
}

async fn admit(
    front: &Front,
    observation: &mut Observation,
    method: &'static MethodContract,
    parts: &Parts,
    deadline: Option<Deadline>,
) -> Result<Call> {
    let authority = front.authenticator.authority(method, &parts.headers).await?;
    observation.principal = authority.as_ref().map(|authority| authority.principal.to_string());
    observation.arrival.call(method, &parts.headers, deadline, authority, &front.clock)
}

/// JSON, as `application/json` or a type built on it, in UTF-8; what is not said is taken for JSON.
fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(value) = arrival::only(headers, &header::CONTENT_TYPE)? else { return Ok(()) };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media_type = parts.next().unwrap_or_default();
    let is_json = media_type == "application/json" || media_type.starts_with("application/") && media_type.ends_with("+json");
    let is_utf8 = |parameter: String| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    };
    if is_json && parts.all(is_utf8) { Ok(()) } else { Err(Failure::unsupported_media_type()) }
}

async fn exchange(
    front: &Front,
    route: &Route,
    call: &Call,
    captures: &[(usize, String)],
    uri: &Uri,
    body: &Bytes,
) -> Result<Response<Body>, Failure> {
    let message = request::message(route, captures, uri.query().unwrap_or_default(), body)?;
    let payload = Payload::Message(message.encode_to_vec().into());
    let upstream = front.upstreams.upstream(route.method.domain).map_err(Error::internal)?;
    let reply = upstream.call(call, route.method, payload).await?;
    Ok(response::json(route, reply)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_body_is_json_in_utf8_or_refused() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            require_json(&headers)
        };
        require_json(&HeaderMap::new()).unwrap();
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json", "application/json;v=1"]
        {
            with(good).unwrap();
        }
        for bad in
            ["text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded", "json", "image/svg+json"]
        {
            with(bad).unwrap_err();
        }
    }
}
