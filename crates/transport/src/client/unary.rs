//! A call with one message each way, on the wire.

use std::future::poll_fn;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri, Version,
    header::{CONTENT_TYPE, TE},
};
use tonic::{Status, body::Body, transport::Channel};
use tower::Service;
use weft_call::{Error, MeshReason, MethodContract, Payload, Reply, Result};

use crate::{
    frame::{self, OneMessage},
    status::error_from_status,
};

/// Sends the message and waits for its answer.
pub(super) async fn exchange(
    mut channel: Channel,
    mut headers: HeaderMap,
    method: &'static MethodContract,
    message: &[u8],
) -> Result<Reply<Payload>> {
    let mut request = http::Request::new(Body::new(OneMessage::request(message)?));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_static(method.path);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    *request.headers_mut() = headers;
    let failed = |error: tonic::transport::Error| error_from_status(&Status::from_error(Box::new(error)));
    poll_fn(|context| channel.poll_ready(context)).await.map_err(failed)?;
    let (parts, body) = channel.call(request).await.map_err(failed)?.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers).filter(|status| status.code() != tonic::Code::Ok) {
        return Err(error_from_status(&status));
    }
    if parts.status != StatusCode::OK {
        let message = format!("{} answered with the HTTP status {}", method.domain, parts.status);
        return Err(Error::new(MeshReason::UpstreamUnavailable, message));
    }
    let (message, mut trailers) = frame::read(body).await?;
    if trailers.remove(Status::GRPC_STATUS).is_none() {
        return Err(Error::new(MeshReason::MalformedMessage, format!("{} answered without a status", method.domain)));
    }
    trailers.remove(Status::GRPC_MESSAGE);
    let mut reply = super::exchange::reply(parts.headers);
    reply.trailers = trailers;
    Ok(reply.map(|()| Payload::Message(message)))
}
