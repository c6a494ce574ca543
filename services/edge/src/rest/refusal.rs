//! What a client is told of a request that does not fit its method: the field by the contract's name, and the reason.
//! What it sent is never repeated.

use weft_call::{Error, FieldViolation, MeshReason};
use weft_transcode::{Reason, RequestError};

/// The refusal of a request.
pub(crate) fn of(error: &RequestError) -> Error {
    let (field, problem) = match error {
        RequestError::TooLarge => return Error::new(MeshReason::MessageTooLarge, "a message of the request is too large"),
        RequestError::Body(error) if is_no_json(error.reason()) => ("body".to_owned(), error.to_string()),
        RequestError::Path(error) | RequestError::Query(error) | RequestError::Body(error) => {
            (error.original_path().to_owned(), error.reason().to_string())
        }
        RequestError::QueryEncoding => ("query".to_owned(), "must be percent-encoded UTF-8".to_owned()),
        RequestError::ParameterEncoding(name) => (name.clone(), "must be percent-encoded UTF-8".to_owned()),
        RequestError::UnknownParameter(name) => (name.clone(), "no such field".to_owned()),
        RequestError::BoundParameter(name) => (name.clone(), "is set by the path or the body, not by the query".to_owned()),
        RequestError::UnsuitableParameter(name) => (name.clone(), "is not of a type that a text can set".to_owned()),
        RequestError::RepeatedParameter(name) => (name.clone(), "is set more than once".to_owned()),
        RequestError::ConflictingParameter(name) => (name.clone(), "is in a oneof with another parameter".to_owned()),
        RequestError::TooManyParameters => ("query".to_owned(), "has too many parameters".to_owned()),
        RequestError::UnexpectedBody => ("body".to_owned(), "must be empty".to_owned()),
        // A reason that this edge does not know yet.
        other => ("request".to_owned(), other.to_string()),
    };
    let field = if field.is_empty() { "body".to_owned() } else { field };
    let message = format!("invalid request: {field}: {problem}");
    let violation = FieldViolation { field, description: problem, rule: String::new() };
    Error::new(MeshReason::MalformedMessage, message).with_violation(violation)
}

/// Whether the text is no JSON, whatever the message.
fn is_no_json(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InvalidUtf8
            | Reason::Syntax(_)
            | Reason::UnexpectedEnd
            | Reason::TrailingData
            | Reason::ControlCharacter
            | Reason::InvalidEscape
            | Reason::UnpairedSurrogate
    )
}
