//! One request and its answer on the wire: the innermost part of the stack.
//!
//! A call that ends early, for whatever reason, resets its stream, so that the other side stops
//! working on it.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, uri::PathAndQuery};
use tonic::{Request, body::Body, client::Grpc, metadata::MetadataMap};
use weft_call::{BoxFuture, Deadline, Error, MeshReason, MethodKind, Payload, Reply, Result, Streaming};
use weft_telemetry::is_sampled;

use super::{
    body::{self, Answer},
    connection::Connection,
    layer::Outgoing,
};
use crate::{MESSAGE_LIMIT, codec::Encoded, metadata, status::error_from_status};

/// Sends the call over the connection.
pub(super) async fn exchange(connection: Connection, outgoing: Outgoing<'_>) -> Result<Reply<Payload>> {
    let Outgoing { call, method, request, deadline, .. } = outgoing;
    let left = deadline.map(Deadline::remaining);
    let mut headers = HeaderMap::with_capacity(8);
    let sampled = is_sampled(call.trace());
    let trace = if sampled { weft_telemetry::current(&tracing::Span::current()) } else { None };
    metadata::inject(call, trace.as_ref().unwrap_or(call.trace()), left, &mut headers);
    if let (MethodKind::Unary, Payload::Message(message)) = (method.kind, &request) {
        return super::unary::exchange(connection, headers, method, message).await;
    }
    let limit = MESSAGE_LIMIT;
    let origin = connection.uri(PathAndQuery::from_static("/"));
    let grpc = Grpc::with_origin(Wire(connection), origin);
    let mut grpc = grpc.max_decoding_message_size(limit).max_encoding_message_size(limit);
    let request = into_request(headers, request);
    let response = grpc.streaming(request, PathAndQuery::from_static(method.path), Encoded).await;
    let (headers, stream, _) = response.map_err(|status| error_from_status(&status))?.into_parts();
    let mut reply = reply(headers.into_headers());
    if method.kind == MethodKind::ClientStreaming {
        let (message, trailers) = only_message(stream).await?;
        reply.trailers = trailers;
        return Ok(reply.map(|()| Payload::Message(message)));
    }
    let stream: Streaming<Bytes> = Box::pin(stream.map(|item| item.map_err(|status| error_from_status(&status))));
    Ok(reply.map(|()| Payload::Stream(stream)))
}

/// A connection as tonic's framing of streams sees it.
struct Wire(Connection);

impl tower::Service<http::Request<Body>> for Wire {
    type Response = http::Response<Answer>;
    type Error = h2::Error;
    type Future = BoxFuture<'static, Result<Self::Response, h2::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(body::exchange(self.0.clone(), request))
    }
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = Bytes> + Send>>;

fn into_request(headers: HeaderMap, payload: Payload) -> Request<Messages> {
    let (none, metadata) = (tonic::Extensions::new(), MetadataMap::from_headers(headers));
    match payload {
        Payload::Message(message) => {
            Request::from_parts(metadata, none, Box::pin(futures_util::stream::iter([message])) as Messages)
        }
        Payload::Stream(stream) => {
            let mut request = Request::from_parts(metadata, none, ());
            let cancel = request.cancellation_handle();
            // An error among the requests resets the stream: to just end it would look complete.
            let until_error = stream.scan(Some(cancel), |cancel, item| {
                let item = item.map_err(|error| {
                    tracing::debug!(%error, "the request stream failed; the call is reset");
                    cancel.take().map(tonic::CancellationHandle::cancel)
                });
                std::future::ready(item.ok())
            });
            request.map(|()| Box::pin(until_error) as Messages)
        }
    }
}

/// Headers of the answer, without those of gRPC itself.
pub(super) fn reply(mut headers: HeaderMap) -> Reply<()> {
    let status = headers.remove(&metadata::HTTP_STATUS).and_then(|status| status.to_str().ok()?.parse().ok());
    for name in ["content-type", "date", "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding"] {
        // Mostly the first two were all.
        if headers.is_empty() {
            break;
        }
        headers.remove(name);
    }
    Reply { message: (), status, headers, trailers: HeaderMap::new() }
}

async fn only_message(mut stream: tonic::Streaming<Bytes>) -> Result<(Bytes, HeaderMap)> {
    let failed = |status: tonic::Status| error_from_status(&status);
    let missing = || Error::new(MeshReason::MalformedMessage, "the domain answered without a message");
    let message = stream.message().await.map_err(failed)?.ok_or_else(missing)?;
    if stream.message().await.map_err(failed)?.is_some() {
        return Err(Error::new(MeshReason::MalformedMessage, "the domain answered with more than one message"));
    }
    let mut trailers = stream.trailers().await.map_err(failed)?.unwrap_or_default().into_headers();
    trailers.remove("grpc-status");
    trailers.remove("grpc-message");
    Ok((message, trailers))
}
