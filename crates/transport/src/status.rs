//! From weft's errors to tonic's status and back; the wire format itself is in [`weft_call::status`].

use std::error::Error as StdError;

use bytes::Bytes;
use tonic::{Status, TimeoutExpired};
use weft_call::{Code, Error, MeshReason, RequestId};

/// The error as a caller sees it. The request id lets an operator find its cause in the log.
pub fn status_from_error(error: &Error, request_id: &RequestId) -> Status {
    let details = Bytes::from(weft_call::status::encode(error, Some(request_id.as_str())));
    Status::with_details(tonic::Code::from_i32(error.code().number()), error.message(), details)
}

/// The error that a peer answered, or that the transport met on the way to it.
pub fn error_from_status(status: &Status) -> Error {
    let code = Code::from_number(status.code() as i32);
    // A status with a source was made here, by the transport; without one it was sent by the peer.
    if let Some(source) = status.source() {
        if is_timeout(source) {
            return late().with_source(status.clone());
        }
        let reason = match code {
            // The connection ended before the call was on it.
            Code::Cancelled if is_unsent(source) => MeshReason::UpstreamUnavailable,
            Code::Cancelled => MeshReason::CallCancelled,
            Code::DeadlineExceeded => MeshReason::DeadlineSpent,
            _ => MeshReason::UpstreamUnavailable,
        };
        return Error::new(reason, "the domain cannot be reached").with_source(status.clone());
    }
    match code {
        Code::OutOfRange if status.message().contains("message length too large") => {
            Error::new(MeshReason::MessageTooLarge, "a message is larger than the limit")
        }
        _ => weft_call::status::decode(code, status.message(), status.details()),
    }
}

/// True if the connection was closed, as by a peer that drains, before the request was sent on it.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// True if tonic's own watch over `grpc-timeout` ended the call; it calls that cancelled.
pub(crate) fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The time for a call was used up on the way.
pub(crate) fn late() -> Error {
    Error::new(MeshReason::DeadlineSpent, "the call took longer than it may")
}
