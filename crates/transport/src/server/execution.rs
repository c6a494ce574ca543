//! One request: find the method, admit the call, run the handler within its deadline, answer.

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{EncodeBody, SingleMessageCompressionOverride},
};
use tower::ServiceExt;
use tracing::{Instrument, Span};
use weft_call::{Call, Code, Error, MeshReason, MethodContract, MethodKind, Payload, Reply, RequestId, Result, TraceContext};
use weft_telemetry::{Record, Side, log_call};
use weft_workload_identity::PeerIdentity;

use super::Server;
use crate::{
    MESSAGE_LIMIT,
    codec::Encoded,
    metadata::{self, HTTP_STATUS},
    status::{error_from_status, status_from_error},
};

const HEALTH: &str = "/grpc.health.v1.Health/";

/// Answers one request of a proven peer.
pub(super) async fn respond(server: &Server, peer: &PeerIdentity, request: http::Request<Incoming>) -> http::Response<Body> {
    let path = request.uri().path();
    if path.starts_with(HEALTH) {
        let Ok(response) = server.health.clone().oneshot(request).await;
        return response;
    }
    let sent = metadata::extract(request.headers());
    let request_id = sent.request_id.clone().unwrap_or_else(RequestId::fresh);
    let trace = sent.trace.clone().unwrap_or_else(TraceContext::start);
    let Some(method) = server.methods.get(path).copied() else {
        let error = Error::new(MeshReason::MethodUnknown, "no such method is served here");
        return status_from_error(&error, &request_id).into_http();
    };
    let started = Instant::now();
    let span = span(method, &request_id, &trace);
    let peer = peer.workload.as_str();
    let admitted = server.admission.admit(method, peer, request_id.clone(), trace.clone(), sent);
    let (response, failure, principal) = match admitted {
        Ok(call) => {
            let principal = call.principal().to_string();
            let (response, failure) = execute(server, method, call, request).instrument(span.clone()).await;
            (response, failure, Some(principal))
        }
        Err(error) => (status_from_error(&error, &request_id).into_http(), Some(error), None),
    };
    let code = failure.as_ref().map_or(Code::Ok, Error::code);
    server.metrics.observe_call(Side::Server, method.domain, method.name, code, started.elapsed());
    span.in_scope(|| {
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
            principal: principal.as_deref(),
            peer: Some(peer),
            duration: started.elapsed(),
            code,
            reason: failure.as_ref().and_then(Error::reason_name),
        });
    });
    response
}

fn span(method: &MethodContract, request_id: &RequestId, trace: &TraceContext) -> Span {
    let span = tracing::info_span!(
        "call",
        otel.kind = "server",
        otel.name = method.path,
        request_id = request_id.as_str(),
        trace_id = trace.trace(),
        domain = method.domain,
        method = method.name,
    );
    weft_telemetry::adopt_parent(&span, trace);
    span
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

/// Runs the handler; gives the answer, and the error that is in it if it failed.
async fn execute(
    server: &Server,
    method: &'static MethodContract,
    call: Call,
    request: http::Request<Incoming>,
) -> (http::Response<Body>, Option<Error>) {
    let (request_id, deadline) = (call.request_id().clone(), call.deadline());
    let streaming = method.kind != MethodKind::Unary;
    let peer = call.caller().filter(|_| streaming).map(Arc::from);
    let handling = server.admission.until_revoked(method, peer, handle(server, method, call, request));
    let handling = AssertUnwindSafe(handling).catch_unwind();
    let result = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.instant(), handling).await,
        None => Ok(handling.await),
    };
    let result = match result {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::internal(format!("the handler panicked: {}", panic_message(&*panic)))),
        Err(_) => Err(Error::new(MeshReason::DeadlineSpent, format!("{} took longer than its deadline", method.path))),
    };
    match result {
        Ok(reply) => (answer(reply, request_id), None),
        Err(error) => (status_from_error(&error, &request_id).into_http(), Some(error)),
    }
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
) -> Result<Reply<Payload>> {
    let headers = request.headers();
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if !headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        return Err(Error::new(MeshReason::HeaderInvalid, "content-type must be application/grpc"));
    }
    if headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(Error::new(MeshReason::MethodUnknown, "compressed messages are not taken inside the mesh"));
    }
    let messages = Streaming::new_request(Encoded, request.into_body(), None, Some(MESSAGE_LIMIT));
    let payload = match method.kind {
        MethodKind::Unary | MethodKind::ServerStreaming => Payload::Message(only_message(messages).await?),
        MethodKind::ClientStreaming | MethodKind::Bidirectional => {
            Payload::Stream(Box::pin(messages.map(|item| item.map_err(|status| error_from_status(&status)))))
        }
    };
    server.service.handle(method, call, payload, &*server.replays).await
}

async fn only_message(mut messages: Streaming<Bytes>) -> Result<Bytes> {
    let failed = |status: Status| error_from_status(&status);
    let missing = || Error::new(MeshReason::MalformedMessage, "the call came without a message");
    let message = messages.message().await.map_err(failed)?.ok_or_else(missing)?;
    if messages.message().await.map_err(failed)?.is_some() {
        return Err(Error::new(MeshReason::MalformedMessage, "the call came with more than one message"));
    }
    Ok(message)
}

/// The reply as a gRPC response.
fn answer(reply: Reply<Payload>, request_id: RequestId) -> http::Response<Body> {
    let Reply { message, status, mut headers, trailers } = reply;
    let messages = match message {
        Payload::Message(message) => futures_util::stream::iter([Ok(message)]).left_stream(),
        Payload::Stream(stream) => stream
            .map(move |item| {
                item.map_err(|error| {
                    log_cause(Some(&error));
                    status_from_error(&error, &request_id)
                })
            })
            .right_stream(),
    };
    let body = EncodeBody::new_server(Encoded, messages, None, SingleMessageCompressionOverride::default(), Some(MESSAGE_LIMIT));
    if let Some(status) = status {
        headers.insert(&HTTP_STATUS, HeaderValue::from(status));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = http::Response::new(with_trailers(Body::new(body), trailers));
    *response.headers_mut() = headers;
    response
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
