//! One request: the server stack, from the wire to the handler and back.

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{
    Streaming,
    body::Body,
    codec::{EncodeBody, SingleMessageCompressionOverride},
};
use tower::ServiceExt;
use tracing::Instrument;
use weft_call::{
    Audit, Call, Code, Deadline, Error, MeshReason, MethodContract, MethodKind, Payload, Reply, RequestId, Result, TraceContext,
};
use weft_telemetry::{Side, server_span, start_trace, within as within_span};
use weft_workload_identity::PeerIdentity;

use super::{Served, Server, record::Running};
use crate::{
    MESSAGE_LIMIT,
    codec::Encoded,
    frame::{self, OneMessage},
    metadata::{self, Extracted, HTTP_STATUS},
    passage::{Passed, Way},
    status::{error_from_status, status_from_error},
    stream::StreamLife,
};

const HEALTH: &str = "/grpc.health.v1.Health/";

/// Answers one request of a proven peer.
pub(super) async fn respond(
    server: &Server,
    peer: &Arc<PeerIdentity>,
    request: http::Request<Incoming>,
    closing: CancellationToken,
) -> http::Response<Body> {
    let path = request.uri().path();
    if path.starts_with(HEALTH) {
        let Ok(response) = server.health.clone().oneshot(request).await;
        return response;
    }
    let sent = metadata::extract(request.headers());
    let request_id = sent.request_id.clone().unwrap_or_else(RequestId::fresh);
    let trace = sent.trace.clone().unwrap_or_else(start_trace);
    let Some(Served { contract: method, metrics }) = server.methods.get(path) else {
        let error = Error::new(MeshReason::MethodUnknown, "no such method is served here");
        return status_from_error(&error, &request_id).into_http();
    };
    let (method, span) = (*method, server_span(method, &trace, peer.workload.as_str()));
    // What the handler does belongs to this span, wherever it does it.
    let inner = within_span(&span, &trace);
    let mut running = Running {
        method,
        metrics: metrics.clone(),
        peer: Arc::clone(peer),
        started: Instant::now(),
        lines: Running::lines(method, &request_id, &trace),
        span: span.clone(),
        admitted: None,
        passed: (method.kind != MethodKind::Unary).then(Passed::default),
    };
    let arrival = Arrival { method, peer: peer.workload.as_str(), request_id: &request_id, trace: inner, closing };
    let lines = running.lines.clone();
    let work = async {
        let result = work(server, arrival, sent, request, &mut running).await;
        audited(server, running.admitted.as_ref(), result).await
    };
    match lines.around(work.instrument(span)).await {
        Ok(reply) => answer(reply, running, &request_id),
        Err(error) => {
            running.end(Some(&error));
            status_from_error(&error, &request_id).into_http()
        }
    }
}

/// A call that has arrived.
struct Arrival<'a> {
    method: &'static MethodContract,
    peer: &'a str,
    request_id: &'a RequestId,
    trace: TraceContext,
    /// Ends streams before their time.
    closing: CancellationToken,
}

/// Records who did what, where the contract asks for it and no transaction of the call has: then what is not recorded is not
/// answered. A refusal is one, recorded or not.
async fn audited(server: &Server, call: Option<&Call>, result: Result<Reply<Payload>>) -> Result<Reply<Payload>> {
    let Some(call) = call else { return result };
    let audit = call.method().map_or(Audit::None, |method| method.audit);
    match &result {
        Ok(_) if audit != Audit::None => server.records.audit(call, None).await.and(result),
        Err(refusal) if audit == Audit::WriteAndRefused && is_refusal(refusal.code()) => {
            if let Err(error) = server.records.audit(call, Some(refusal)).await {
                tracing::error!(%error, "a refusal could not be recorded");
            }
            result
        }
        _ => result,
    }
}

const fn is_refusal(code: Code) -> bool {
    matches!(code, Code::PermissionDenied | Code::Unauthenticated)
}

/// The server stack, from the wire to the handler; the connection has proven the peer before, and
/// [`respond`] traces and measures around it.
async fn work(
    server: &Server,
    Arrival { method, peer, request_id, trace, closing }: Arrival<'_>,
    sent: Extracted,
    request: http::Request<Incoming>,
    running: &mut Running,
) -> Result<Reply<Payload>> {
    // What is spent, forbidden or over its rate is refused first, in microseconds: it takes no place
    // from what may run.
    let call = server.admission.admit(method, peer, request_id.clone(), trace, sent, &mut running.admitted)?;
    let deadline = call.deadline();
    // Then it waits for its place, on its own time: what is refused here has not begun.
    let place = server.limiter.enter(method.domain, deadline).await.inspect_err(|error| {
        if error.reason() == Some(MeshReason::Overloaded) {
            server.metrics.count_shed(Side::Server, method.domain);
        }
    })?;
    let began = Instant::now();
    // Streams have a life instead of a deadline, and hold no place once they are open.
    let (place, life) = match method.kind {
        MethodKind::Unary => (Some(place), None),
        MethodKind::ServerStreaming => (Some(place), Some(server.stream_life(closing))),
        MethodKind::ClientStreaming | MethodKind::Bidirectional => (None, Some(server.stream_life(closing))),
    };
    // A stream also ends when its caller is denied: it was admitted long ago.
    let streamer = life.is_some().then(|| Arc::from(peer));
    // A panic ends its call and nothing else, and so stands closest around the handler. Boxed, since
    // each layer around it would hold it once more.
    let handler = caught(Box::pin(handle(server, method, call, request, life.as_ref(), running.passed.as_ref())));
    let handler = server.admission.until_revoked(method, streamer, handler);
    let result = within(deadline, method, opening(life.as_ref(), handler)).await;
    if let (Some(place), MethodKind::Unary) = (place, method.kind) {
        let overran = result.as_ref().is_err_and(|error| error.code() == Code::DeadlineExceeded);
        place.leave(method, began.elapsed(), overran);
    }
    match life {
        Some(life) => result.map(|reply| reply.map(|answers| bounded(&life, answers))),
        None => result,
    }
}

/// Cuts the call at its deadline.
async fn within<T>(deadline: Option<Deadline>, method: &MethodContract, handler: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = deadline else { return handler.await };
    let late = || Error::new(MeshReason::DeadlineSpent, format!("{} took longer than its deadline", method.path));
    timeout_at(deadline.instant(), handler).await.unwrap_or_else(|_| Err(late()))
}

/// Cuts the call at the end of its stream's life.
async fn opening<T>(life: Option<&StreamLife>, handler: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(life) = life else { return handler.await };
    tokio::select! {
        biased;
        result = handler => result,
        error = life.over() => Err(error),
    }
}

fn bounded(life: &StreamLife, answers: Payload) -> Payload {
    match answers {
        Payload::Stream(answers) => Payload::Stream(life.bounding(answers)),
        message @ Payload::Message(_) => message,
    }
}

/// Turns a panic into an error.
async fn caught<T>(handler: impl Future<Output = Result<T>>) -> Result<T> {
    let result = AssertUnwindSafe(handler).catch_unwind().await;
    result.unwrap_or_else(|panic| Err(Error::internal(format!("the handler panicked: {}", panic_message(&*panic)))))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

async fn handle(
    server: &Server,
    method: &'static MethodContract,
    call: Call,
    request: http::Request<Incoming>,
    life: Option<&StreamLife>,
    passed: Option<&Passed>,
) -> Result<Reply<Payload>> {
    let headers = request.headers();
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if !headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        return Err(Error::new(MeshReason::HeaderInvalid, "content-type must be application/grpc"));
    }
    if headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(Error::new(MeshReason::MethodUnknown, "compressed messages are not taken inside the mesh"));
    }
    let payload = match method.kind {
        MethodKind::Unary | MethodKind::ServerStreaming => Payload::Message(frame::read(request.into_body()).await?.0),
        MethodKind::ClientStreaming | MethodKind::Bidirectional => {
            let messages = Streaming::new_request(Encoded, request.into_body(), None, Some(MESSAGE_LIMIT));
            let mut messages: weft_call::Streaming<Bytes> =
                Box::pin(messages.map(|item| item.map_err(|status| error_from_status(&status))));
            if let Some(passed) = passed {
                messages = passed.counting(Way::Received, messages);
            }
            Payload::Stream(match life {
                Some(life) => life.noting(messages),
                None => messages,
            })
        }
    };
    server.service.handle(method, call, payload, &*server.records).await
}

/// The reply as a gRPC response.
fn answer(reply: Reply<Payload>, running: Running, request_id: &RequestId) -> http::Response<Body> {
    let Reply { message, status, mut headers, trailers } = reply;
    let body = match message {
        Payload::Message(message) => match OneMessage::answer(&message, trailers) {
            Ok(message) => {
                running.end(None);
                Body::new(message)
            }
            Err(error) => {
                running.end(Some(&error));
                return status_from_error(&error, request_id).into_http();
            }
        },
        Payload::Stream(answers) => many_messages(running.watching(answers), trailers, request_id.clone()),
    };
    if let Some(status) = status {
        headers.insert(&HTTP_STATUS, HeaderValue::from(status));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = http::Response::new(body);
    *response.headers_mut() = headers;
    response
}

fn many_messages(messages: weft_call::Streaming<Bytes>, trailers: HeaderMap, request_id: RequestId) -> Body {
    let messages = messages.map(move |item| item.map_err(|error| status_from_error(&error, &request_id)));
    let body = EncodeBody::new_server(Encoded, messages, None, SingleMessageCompressionOverride::default(), Some(MESSAGE_LIMIT));
    with_trailers(Body::new(body), trailers)
}

/// tonic ends a successful call with trailers of its own; those of the reply join them.
fn with_trailers(body: Body, extra: HeaderMap) -> Body {
    if extra.is_empty() {
        return body;
    }
    Body::new(body.map_frame(move |frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.extend(extra.clone());
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }))
}
