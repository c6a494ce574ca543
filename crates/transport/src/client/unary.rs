//! A call with one message each way, on the wire.

use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Version,
    header::{CONTENT_TYPE, TE},
    uri::PathAndQuery,
};
use tonic::Status;
use weft_call::{Error, MeshReason, MethodContract, Payload, Reply, Result};

use super::{body::Answer, connection::Connection, exchange};
use crate::{
    frame,
    status::{error_from_h2, error_from_status},
};

/// Sends the message and waits for its answer.
pub(super) async fn exchange(
    connection: Connection,
    mut headers: HeaderMap,
    method: &'static MethodContract,
    message: &[u8],
) -> Result<Reply<Payload>> {
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = connection.uri(PathAndQuery::from_static(method.path));
    *request.headers_mut() = headers;
    let answer = connection.exchange(request, frame::framed(message)?).await.map_err(error_from_h2)?;
    let (parts, stream) = answer.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers).filter(|status| status.code() != tonic::Code::Ok) {
        return Err(error_from_status(&status));
    }
    if parts.status != StatusCode::OK {
        let message = format!("{} answered with the HTTP status {}", method.domain, parts.status);
        return Err(Error::new(MeshReason::UpstreamUnavailable, message));
    }
    let (message, mut trailers) = frame::read(Answer::new(stream)).await?;
    if trailers.remove(Status::GRPC_STATUS).is_none() {
        return Err(Error::new(MeshReason::MalformedMessage, format!("{} answered without a status", method.domain)));
    }
    trailers.remove(Status::GRPC_MESSAGE);
    let mut reply = exchange::reply(parts.headers);
    reply.trailers = trailers;
    Ok(reply.map(|()| Payload::Message(message)))
}
