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
use tracing::{Instrument, Span};
use weft_call::{
    Call, Code, Deadline, Error, MeshReason, MethodContract, MethodKind, Payload, Reply, RequestId, Result, TraceContext,
};
use weft_telemetry::{LINES, Record, Side, end_server_span, log_call, server_span, start_trace};
use weft_workload_identity::PeerIdentity;

use super::{Served, Server};
use crate::{
    MESSAGE_LIMIT,
    codec::Encoded,
    frame::{self, OneMessage},
    metadata::{self, Extracted, HTTP_STATUS},
    status::{error_from_status, status_from_error},
    stream::StreamLife,
};

const HEALTH: &str = "/grpc.health.v1.Health/";

/// Answers one request of a proven peer.
pub(super) async fn respond(
    server: &Server,
    peer: &PeerIdentity,
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
    let started = Instant::now();
    let method = *method;
    let (lines, span) = (lines(method, &request_id, &trace), server_span(method, &trace, peer.workload.as_str()));
    let arrival = Arrival { method, peer: peer.workload.as_str(), request_id: &request_id, trace: &trace, closing };
    let mut admitted = None;
    let result = work(server, arrival, sent, request, &mut admitted).instrument(span.clone()).instrument(lines.clone()).await;
    let (response, failure) = match result.and_then(|reply| answer(reply, &request_id)) {
        Ok(response) => (response, None),
        Err(error) => (status_from_error(&error, &request_id).into_http(), Some(error)),
    };
    let peer = peer.workload.as_str();
    let code = failure.as_ref().map_or(Code::Ok, Error::code);
    metrics.observe(code, started.elapsed());
    end_server_span(&span, code);
    lines.in_scope(|| {
        log_cause(failure.as_ref());
        // What domains ask one another over and over is of interest only when it fails.
        if failure.is_none() && !method.serves_users() {
            return tracing::debug!("call finished");
        }
        log_call(&Record {
            request_id: request_id.as_str(),
            trace_id: &trace.trace(),
            domain: method.domain,
            method: method.name,
            principal: admitted.map(|call| call.principal().to_string()).as_deref(),
            peer: Some(peer),
            duration: started.elapsed(),
            code,
            reason: failure.as_ref().and_then(Error::reason_name),
        });
    });
    response
}

/// What all log lines of the call say.
fn lines(method: &MethodContract, request_id: &RequestId, trace: &TraceContext) -> Span {
    tracing::info_span!(
        target: LINES,
        "call",
        request_id = request_id.as_str(),
        trace_id = trace.trace(),
        domain = method.domain,
        method = method.name,
    )
}

/// The cause of a failure that is ours, which the caller is not told.
fn log_cause(failure: Option<&Error>) {
    let Some(error) = failure else { return };
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    match error.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => {
            tracing::error!(error = error.message(), cause = causes.join(": "), "the call failed");
        }
        _ if !causes.is_empty() => tracing::debug!(error = error.message(), cause = causes.join(": "), "the call was refused"),
        _ => {}
    }
}

/// A call that has arrived.
struct Arrival<'a> {
    method: &'static MethodContract,
    peer: &'a str,
    request_id: &'a RequestId,
    trace: &'a TraceContext,
    /// Ends streams before their time.
    closing: CancellationToken,
}

/// The server stack, from the wire to the handler; the connection has proven the peer before, and
/// [`respond`] traces and measures around it.
async fn work(
    server: &Server,
    Arrival { method, peer, request_id, trace, closing }: Arrival<'_>,
    sent: Extracted,
    request: http::Request<Incoming>,
    admitted: &mut Option<Call>,
) -> Result<Reply<Payload>> {
    // What is spent, forbidden or over its rate is refused first, in microseconds: it takes no place
    // from what may run.
    let call = server.admission.admit(method, peer, request_id.clone(), trace.clone(), sent)?;
    *admitted = Some(call.clone());
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
    let handler = caught(Box::pin(handle(server, method, call, request, life.as_ref())));
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
            let messages = Box::pin(messages.map(|item| item.map_err(|status| error_from_status(&status))));
            Payload::Stream(match life {
                Some(life) => life.noting(messages),
                None => messages,
            })
        }
    };
    server.service.handle(method, call, payload, &*server.replays).await
}

/// The reply as a gRPC response.
fn answer(reply: Reply<Payload>, request_id: &RequestId) -> Result<http::Response<Body>> {
    let Reply { message, status, mut headers, trailers } = reply;
    let body = match message {
        Payload::Message(message) => Body::new(OneMessage::answer(&message, trailers)?),
        Payload::Stream(stream) => many_messages(stream, trailers, request_id.clone()),
    };
    if let Some(status) = status {
        headers.insert(&HTTP_STATUS, HeaderValue::from(status));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = http::Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

fn many_messages(messages: weft_call::Streaming<Bytes>, trailers: HeaderMap, request_id: RequestId) -> Body {
    let messages = messages.map(move |item| {
        item.map_err(|error| {
            log_cause(Some(&error));
            status_from_error(&error, &request_id)
        })
    });
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
