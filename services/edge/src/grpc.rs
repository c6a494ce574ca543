//! gRPC: passed on as it comes, its messages unread.
//!
//! The edge looks at the path, to find the domain and its policy, and at the headers, out of which it makes
//! the call. Of what the client sent only what frames the messages goes on. The domain checks the messages
//! themselves, as it does for everyone.

mod passage;

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use tower::ServiceExt as _;
use weft_call::{Contract, Deadline, Error, MeshReason, MethodContract, Result};
use weft_transport::{ForwardBody, metadata, status_from_error};

use crate::{
    body::{self, Body},
    error::EdgeError,
    front::Front,
    record::Observation,
};
use passage::Passage;

/// What frames the messages of a call, and nothing of what is said in them.
const FRAMING: [&str; 3] = ["content-type", "grpc-encoding", "user-agent"];

/// The services that the edge itself answers: reflection and health.
#[derive(Clone, Debug)]
pub(crate) struct OwnServices(tonic::service::Routes);

impl OwnServices {
    /// Reflection for these contracts, and the health that is reported.
    pub(crate) fn new(
        contracts: &[&'static Contract],
        health: tonic_health::pb::health_server::HealthServer<tonic_health::server::HealthService>,
    ) -> Result<Self, EdgeError> {
        let describe = || {
            let all = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            contracts.iter().fold(all, |all, contract| all.register_encoded_file_descriptor_set(contract.descriptor_set))
        };
        let mut routes = tonic::service::Routes::new(health);
        routes = routes.add_service(describe().build_v1()?);
        routes = routes.add_service(describe().build_v1alpha()?);
        Ok(Self(routes))
    }

    fn serves(path: &str) -> bool {
        ["/grpc.health.v1.", "/grpc.reflection."].iter().any(|package| path.starts_with(package))
    }
}

/// Answers a gRPC request.
pub(crate) async fn answer(front: &Front, mut observation: Observation, request: Request<Incoming>) -> Response<Body> {
    if OwnServices::serves(request.uri().path()) {
        observation.discard();
        let Ok(response) = front.own.0.clone().oneshot(request).await;
        return response.map(body::passed_on);
    }
    match pass_on(front, &mut observation, request).await {
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
            response.map(|messages| body::passed_on(Passage::new(messages, observation, deadline)))
        }
        Err(error) => {
            observation.fail(&error);
            status_from_error(&error, &observation.arrival.request_id).into_http().map(|body: ForwardBody| body::passed_on(body))
        }
    }
}

async fn pass_on(
    front: &Front,
    observation: &mut Observation,
    request: Request<Incoming>,
) -> Result<(Response<ForwardBody>, Option<Deadline>)> {
    let unknown = || Error::new(MeshReason::MethodUnknown, "no such method is served here");
    let method = front.methods.get(request.uri().path()).copied().ok_or_else(unknown)?;
    observation.method = Some(method);
    let deadline = observation.arrival.deadline(method, request.headers())?;
    let work = async {
        let (parts, messages) = request.into_parts();
        let headers = metadata_of_call(front, observation, method, &parts.headers, deadline).await?;
        let mut request = Request::new(messages);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(method.path);
        *request.headers_mut() = headers;
        front.upstreams.forward(method.domain, request).await
    };
    let response = match deadline {
        None => work.await?,
        Some(deadline) => tokio::time::timeout_at(deadline.instant(), work).await.map_err(|_| late(method))??,
    };
    Ok((response, deadline))
}

fn late(method: &MethodContract) -> Error {
    Error::new(MeshReason::DeadlineSpent, format!("{} took longer than it may", method.path))
}

/// The headers that go on: the call's own, and the framing of its messages.
async fn metadata_of_call(
    front: &Front,
    observation: &mut Observation,
    method: &'static MethodContract,
    sent: &HeaderMap,
    deadline: Option<Deadline>,
) -> Result<HeaderMap> {
    let authority = front.authenticator.authority(method, sent).await?;
    observation.principal = authority.as_ref().map(|authority| authority.principal.to_string());
    let call = observation.arrival.call(method, sent, deadline, authority, &front.clock)?;
    let mut headers = HeaderMap::with_capacity(12);
    for name in FRAMING {
        if let Some(value) = sent.get(name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let trace = weft_telemetry::current(&tracing::Span::current());
    let left = deadline.map(Deadline::remaining);
    metadata::inject(&call, trace.as_ref().unwrap_or(call.trace()), left, &mut headers);
    Ok(headers)
}
