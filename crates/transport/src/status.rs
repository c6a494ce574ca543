//! From weft's errors to tonic's status and back; the wire format itself is in [`weft_call::status`].

use std::error::Error as StdError;

use bytes::Bytes;
use tonic::Status;
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
    if status.source().is_some() {
        let reason = match code {
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

/// The error that a connection met.
pub(crate) fn error_from_h2(error: h2::Error) -> Error {
    error_from_status(&Status::from_error(Box::new(error)))
}

/// The time for a call was used up on the way.
pub(crate) fn late() -> Error {
    Error::new(MeshReason::DeadlineSpent, "the call took longer than it may")
}
