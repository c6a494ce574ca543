//! WebSocket (RFC 6455): a call whose requests and answers are frames.
//!
//! Problem: browsers can stream neither requests nor both ways over HTTP. Rule: whatever method has a route is also
//! called by a WebSocket on the route's path, and by one on its gRPC path. With the subprotocol `protobuf` each binary
//! frame is a message; otherwise each text frame is the JSON of one, as the route's body has it. An empty text frame
//! ends the requests. The socket is closed with 1000 after a success, and after a failure with 4000 and the status code,
//! behind a text frame that holds the `google.rpc.Status`. A failure before the call began is an HTTP answer.
//! Recovery: a client that goes away drops the call; a server that stops says so with 1001.

mod session;
mod target;

use std::{pin::pin, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use hyper::body::Incoming;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use weft_call::{Error, MeshReason};

pub(crate) use session::Sessions;

use crate::{
    arrival,
    body::{self, Body},
    catalogue::Catalogue,
    error::Failure,
    exchange::{self, Exchange},
    front::Front,
    record::Observation,
};
use session::Session;
use target::Target;

/// The subprotocol of binary frames.
const PROTOBUF: &str = "protobuf";

/// Whether the request asks for a WebSocket.
pub(crate) fn is_asked_for<B>(request: &Request<B>) -> bool {
    let has = |name: header::HeaderName, token: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
}

/// Answers a request for a WebSocket; the call itself is made once the connection is one.
pub(crate) async fn answer(
    front: &Front,
    catalogue: Arc<Catalogue>,
    mut observation: Observation,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let sessions = request.extensions_mut().remove::<Sessions>();
    let (parts, _) = request.into_parts();
    match begin(front, &catalogue, &mut observation, &parts).await {
        Ok((head, mut session)) => {
            let Some(sessions) = sessions else {
                let error = Error::internal("the connection cannot be upgraded");
                observation.fail(&error);
                return Failure::from(error).response(&observation.arrival.request_id);
            };
            session.observe(observation);
            sessions.set(|stop| session.run(upgrade, stop));
            head.map(|()| body::empty())
        }
        Err(failure) => {
            observation.fail(&failure.error);
            failure.response(&observation.arrival.request_id)
        }
    }
}

async fn begin(
    front: &Front,
    catalogue: &Arc<Catalogue>,
    observation: &mut Observation,
    parts: &Parts,
) -> Result<(Response<()>, Session), Failure> {
    if !front.origins.may_connect(&parts.headers) {
        return Err(Failure::origin_not_allowed());
    }
    let (head, is_binary) = handshake(&parts.headers)?;
    let target = Target::find(Arc::clone(catalogue), front.request_options.clone(), parts.clone(), is_binary)?;
    let method = target.method();
    observation.is_for(method, parts.method.as_str(), target.path());
    let deadline = observation.arrival.deadline(method, &parts.headers)?;
    let exchange = pin!(Exchange::admit(front, observation, method, &parts.headers, deadline));
    let exchange = exchange::within(deadline, method, exchange).await?;
    Ok((head, Session::new(exchange, target, &front.settings, deadline)))
}

/// The head of the answer, and whether frames are binary.
fn handshake(headers: &HeaderMap) -> Result<(Response<()>, bool), Failure> {
    let invalid = |name: &header::HeaderName, problem: &str| {
        Error::new(MeshReason::HeaderInvalid, format!("{name}: {problem}")).with_metadata("header", name.as_str())
    };
    if arrival::only(headers, &header::SEC_WEBSOCKET_VERSION)? != Some("13") {
        return Err(Failure::upgrade_required(invalid(&header::SEC_WEBSOCKET_VERSION, "must be 13")));
    }
    let missing = || invalid(&header::SEC_WEBSOCKET_KEY, "is missing");
    let key = arrival::only(headers, &header::SEC_WEBSOCKET_KEY)?.ok_or_else(missing)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(Error::internal)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answered = response.headers_mut();
    answered.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answered.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answered.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let chosen = offered.flat_map(|value| value.split(',')).map(str::trim).find(|name| [PROTOBUF, "json"].contains(name));
    if let Some(Ok(value)) = chosen.map(HeaderValue::from_str) {
        answered.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    Ok((response, chosen == Some(PROTOBUF)))
}
