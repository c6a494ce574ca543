//! A unary call that may be sent again: taken in whole, so that the mesh can.
//!
//! What streams is passed on as it comes, and what was passed on is gone when the domain behind it is.
//! A call whose contract says that a repeat does no harm is read to its end first; its message is not
//! decoded. Then it is a call like any other: retried, and sent elsewhere when an instance hangs.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use weft_call::{Deadline, Error, Idempotency, MeshReason, MethodContract, MethodKind, Payload, Reply, Result};
use weft_transport::ForwardBody;

use crate::{
    body::{self, Inbound},
    exchange,
    front::Front,
    record::Observation,
};

/// What stands before a message: a flag, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// Whether calls of the method are taken in whole.
pub(super) fn takes(method: &MethodContract) -> bool {
    method.kind == MethodKind::Unary && method.idempotency != Idempotency::None
}

pub(super) async fn pass_on(
    front: &Front,
    observation: &mut Observation,
    method: &'static MethodContract,
    request: Request<Inbound>,
    deadline: Option<Deadline>,
) -> Result<Response<ForwardBody>> {
    let (parts, messages) = request.into_parts();
    if parts.headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(compressed());
    }
    let call = exchange::call(front, observation, method, &parts.headers, deadline).await?;
    let message = only_message(body::read(messages, front.settings.max_body + PREFIX).await?)?;
    let upstream = front.upstreams.upstream(method.domain).map_err(Error::internal)?;
    answer(upstream.call(&call, method, Payload::Message(message)).await?)
}

fn compressed() -> Error {
    Error::new(MeshReason::MethodUnknown, "compressed messages are not taken")
}

/// The message of a body that holds one.
fn only_message(mut body: Bytes) -> Result<Bytes> {
    let malformed = |why: &'static str| Error::new(MeshReason::MalformedMessage, why);
    let prefix: [u8; PREFIX] = body
        .get(..PREFIX)
        .and_then(|prefix| prefix.try_into().ok())
        .ok_or_else(|| malformed("the call came without a message"))?;
    let [flag, length @ ..] = prefix;
    if flag != 0 {
        return Err(compressed());
    }
    let message = body.split_off(PREFIX);
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if message.len() == length { Ok(message) } else { Err(malformed("the body is not one message of the length that it tells")) }
}

fn answer(reply: Reply<Payload>) -> Result<Response<ForwardBody>> {
    let Reply { message, status: _, mut headers, trailers } = reply;
    let Payload::Message(message) = message else {
        return Err(Error::new(MeshReason::MalformedMessage, "the domain answered a unary call with a stream"));
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = Response::new(ForwardBody::message(&message, trailers)?);
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_one_message_or_is_refused() {
        assert!(only_message(Bytes::from_static(b"\0\0\0\0\x02hi")).is_ok_and(|message| message == "hi"));
        assert!(only_message(Bytes::from_static(b"\0\0\0\0\0")).is_ok_and(|message| message.is_empty()));
        for (bad, reason) in [
            (&b""[..], MeshReason::MalformedMessage),
            (b"\0\0\0\0", MeshReason::MalformedMessage),
            (b"\0\0\0\0\x03hi", MeshReason::MalformedMessage),
            (b"\0\0\0\0\x01hi", MeshReason::MalformedMessage),
            (b"\x01\0\0\0\x02hi", MeshReason::MethodUnknown),
        ] {
            let error = only_message(Bytes::from_static(bad)).err();
            assert_eq!(error.and_then(|error| error.reason()), Some(reason), "{bad:?}");
        }
    }
}
