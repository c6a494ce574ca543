//! gRPC: passed on as it comes, its messages unread.
//!
//! The edge looks at the path, to find the domain and its policy, and at the headers, out of which it makes
//! the call. Of what the client sent only what frames the messages goes on. The domain checks the messages
//! themselves, as it does for everyone.

pub(crate) mod answer;
pub(crate) mod framing;
mod own_services;
mod passage;
mod whole;

use std::pin::pin;

use http::{HeaderName, Method, Request, Response, header};
use tower::ServiceExt as _;
use weft_call::{Deadline, Error, MeshReason, Result};
use weft_transport::ForwardBody;

pub(crate) use own_services::OwnServices;

use crate::{
    body::{self, Body, Inbound},
    catalogue::Catalogue,
    error::{Failure, grpc_status},
    exchange::{self, Exchange},
    front::Front,
    record::Observation,
};
use passage::Passage;

/// What frames the messages of a call, and nothing of what is said in them.
static FRAMING: [HeaderName; 3] = [header::CONTENT_TYPE, HeaderName::from_static("grpc-encoding"), header::USER_AGENT];
/// How the answers may be packed, which domains do not do.
static ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Answers a gRPC request.
pub(crate) async fn answer(
    front: &Front,
    catalogue: &Catalogue,
    mut observation: Observation,
    request: Request<Inbound>,
) -> Response<Body> {
    if let Some(own) = front.own.as_ref().filter(|_| OwnServices::serves(request.uri().path())) {
        observation.discard();
        let Ok(response) = own.routes().oneshot(request).await;
        return response.map(body::passed_on);
    }
    if request.method() != Method::POST {
        let failure = Failure::method_not_allowed("OPTIONS, POST");
        observation.fail(&failure.error);
        return failure.plain_response();
    }
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    match pass_on(front, catalogue, &mut observation, request).await {
        Ok((mut response, deadline)) => {
            let headers = response.headers_mut();
            let inside: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("weft-")).cloned().collect();
            for name in &inside {
                headers.remove(name);
            }
            if let Some(code) = passage::code(response.headers()) {
                // A trailers-only answer is at its end already.
                observation.finish(code, None);
            }
            response.map(|messages| body::passed_on(Passage::new(messages, observation, deadline, front.stands_alone())))
        }
        Err(error) => {
            observation.fail(&error);
            let status = grpc_status(&error, &observation.arrival.request_id, front.stands_alone());
            let mut response = status.into_http().map(|body: ForwardBody| body::passed_on(body));
            // As the request's: a client may take another for no answer of gRPC at all.
            if let Some(kind) = kind {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
    }
}

async fn pass_on(
    front: &Front,
    catalogue: &Catalogue,
    observation: &mut Observation,
    request: Request<Inbound>,
) -> Result<(Response<ForwardBody>, Option<Deadline>)> {
    let unknown = || Error::new(MeshReason::MethodUnknown, "no such method is served here");
    let method = catalogue.method(request.uri().path()).ok_or_else(unknown)?.contract;
    observation.is_for(method, request.method().as_str(), method.path);
    let deadline = observation.arrival.deadline(method, request.headers())?;
    let work = pin!(async {
        if whole::takes(method) && !front.stands_alone() {
            return whole::pass_on(front, observation, method, request, deadline).await;
        }
        let (parts, messages) = request.into_parts();
        let mut exchange = Exchange::admit(front, observation, method, &parts.headers, deadline).await?;
        for name in &FRAMING {
            exchange.pass(name, &parts.headers);
        }
        if front.stands_alone() {
            exchange.pass(&ACCEPTED, &parts.headers);
        }
        if parts.uri.query().is_some() { exchange.send(messages).await } else { exchange.send_to(parts.uri, messages).await }
    });
    let response = exchange::within(deadline, method, work).await?;
    Ok((response, deadline))
}
