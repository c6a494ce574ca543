//! Errors on the wire: `google.rpc.Status` with the details of AIP-193.
//!
//! The messages are restated here because this crate stands below the generated contracts; the
//! field numbers are those of `google/rpc/status.proto` and `google/rpc/error_details.proto`.

use std::{collections::BTreeMap, time::Duration};

use prost::Message;
use prost_types::Any;

use crate::{Code, Error, FieldViolation};

/// What a link to the page of a reason is about.
pub const HELP_ABOUT: &str = "what it means and what to do";
/// Largest encoded status that is read, in bytes: HTTP/2 peers rarely take larger headers.
const SIZE_LIMIT: usize = 16 * 1024;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const HELP: &str = "type.googleapis.com/google.rpc.Help";
const REQUEST_INFO: &str = "type.googleapis.com/google.rpc.RequestInfo";

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<Violation>,
}

#[derive(Clone, PartialEq, Message)]
struct Violation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    reason: String,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Help {
    #[prost(message, repeated, tag = "1")]
    links: Vec<Link>,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(string, tag = "1")]
    description: String,
    #[prost(string, tag = "2")]
    url: String,
}

#[derive(Clone, PartialEq, Message)]
struct RequestInfo {
    #[prost(string, tag = "1")]
    request_id: String,
}

fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

/// The error as an encoded `google.rpc.Status`, for `grpc-status-details-bin`.
pub fn encode(error: &Error, request_id: Option<&str>) -> Vec<u8> {
    let mut details = Vec::with_capacity(2);
    if let (Some(reason), Some(domain)) = (error.reason_name(), error.reason_domain()) {
        let info = ErrorInfo { reason: reason.to_owned(), domain: domain.to_owned(), metadata: error.metadata().clone() };
        details.push(any(ERROR_INFO, &info));
    }
    if !error.violations().is_empty() {
        let violation =
            |v: &FieldViolation| Violation { field: v.field.clone(), description: v.description.clone(), reason: v.rule.clone() };
        let field_violations = error.violations().iter().map(violation).collect();
        details.push(any(BAD_REQUEST, &BadRequest { field_violations }));
    }
    if let Some(wait) = error.retry_after() {
        let retry_delay = prost_types::Duration::try_from(wait).ok();
        details.push(any(RETRY_INFO, &RetryInfo { retry_delay }));
    }
    if let Some(url) = error.help() {
        let link = Link { description: HELP_ABOUT.to_owned(), url: url.into_owned() };
        details.push(any(HELP, &Help { links: vec![link] }));
    }
    if let Some(request_id) = request_id {
        details.push(any(REQUEST_INFO, &RequestInfo { request_id: request_id.to_owned() }));
    }
    details.extend_from_slice(error.details());
    Status { code: error.code().number(), message: error.message().to_owned(), details }.encode_to_vec()
}

/// The error that a peer sent. `details` are the bytes of `grpc-status-details-bin`, if they came;
/// where they are damaged or contradict `code`, code and message stand alone.
pub fn decode(code: Code, message: &str, details: &[u8]) -> Error {
    let bare = || Error::without_reason(code, message);
    if details.is_empty() || details.len() > SIZE_LIMIT {
        return bare();
    }
    let Ok(status) = Status::decode(details) else { return bare() };
    if status.code != code.number() {
        return bare();
    }
    status.details.into_iter().fold(bare(), adopt)
}

/// Adds one detail; one of unknown type, or that cannot be read, is carried on as it came.
fn adopt(error: Error, detail: Any) -> Error {
    let read = match detail.type_url.as_str() {
        ERROR_INFO => ErrorInfo::decode(detail.value.as_slice()).map(Detail::Info),
        BAD_REQUEST => BadRequest::decode(detail.value.as_slice()).map(Detail::Bad),
        RETRY_INFO => RetryInfo::decode(detail.value.as_slice()).map(Detail::Retry),
        HELP => Help::decode(detail.value.as_slice()).map(Detail::Help),
        // The request id is this process's own to say, not a peer's.
        REQUEST_INFO => return error,
        _ => return error.with_detail(detail),
    };
    match read {
        Ok(Detail::Info(info)) => {
            let error = error.with_foreign_reason(info.domain, info.reason);
            info.metadata.into_iter().fold(error, |error, (key, value)| error.with_metadata(key, value))
        }
        Ok(Detail::Bad(bad)) => bad.field_violations.into_iter().fold(error, |error, v| {
            error.with_violation(FieldViolation { field: v.field, description: v.description, rule: v.reason })
        }),
        Ok(Detail::Retry(retry)) => match retry.retry_delay.and_then(|delay| Duration::try_from(delay).ok()) {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        },
        // Of weft's own there is one; what others say with more links, or in other words, is carried on whole.
        Ok(Detail::Help(Help { mut links })) => match links.pop() {
            Some(link) if links.is_empty() && link.description == HELP_ABOUT => error.with_help(link.url),
            _ => error.with_detail(detail),
        },
        Err(_) => error.with_detail(detail),
    }
}

enum Detail {
    Info(ErrorInfo),
    Bad(BadRequest),
    Retry(RetryInfo),
    Help(Help),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeshReason;

    #[test]
    fn an_error_survives_the_wire_without_its_source() {
        let foreign = Any { type_url: "example.com/x.Y".to_owned(), value: vec![1, 2] };
        let violation = FieldViolation { field: "a.b".into(), description: "must be 1".into(), rule: "int64.const".into() };
        let error = Error::new(MeshReason::RateLimited, "slow down")
            .with_metadata("limit", "5")
            .with_violation(violation.clone())
            .with_retry_after(Duration::from_millis(1500))
            .with_source("the database password is hunter2")
            .with_detail(foreign.clone());
        let bytes = encode(&error, Some("request-1"));
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
        let back = decode(Code::ResourceExhausted, "slow down", &bytes);
        assert_eq!(back.reason(), Some(MeshReason::RateLimited));
        assert_eq!(back.metadata().get("limit").map(String::as_str), Some("5"));
        assert_eq!(back.violations(), [violation]);
        assert_eq!(back.retry_after(), Some(Duration::from_millis(1500)));
        assert_eq!(back.details(), [foreign]);
        assert_eq!(back.help().as_deref(), Some("/docs/errors/weft.mesh.v1/RATE_LIMITED"));
    }

    #[test]
    fn a_peers_own_help_is_carried_on_and_no_page_is_made_up_for_its_reason() {
        let link = |url: &str| Link { description: "our manual".to_owned(), url: url.to_owned() };
        let help = any(HELP, &Help { links: vec![link("https://example.com/a"), link("https://example.com/b")] });
        let info = ErrorInfo { reason: "NO".to_owned(), domain: "example.com".to_owned(), metadata: BTreeMap::new() };
        let details = vec![any(ERROR_INFO, &info), help.clone()];
        let bytes = Status { code: Code::NotFound.number(), message: String::new(), details }.encode_to_vec();
        let error = decode(Code::NotFound, "", &bytes);
        assert_eq!((error.reason_name(), error.help()), (Some("NO"), None));
        assert_eq!(error.details(), [help]);
        assert_eq!(decode(Code::NotFound, "", &encode(&error, None)).details(), error.details());
    }

    #[test]
    fn damaged_or_contradicting_details_leave_code_and_message() {
        let other = encode(&Error::new(MeshReason::Internal, "x"), None);
        for details in [b"\xff\xff\xff".as_slice(), &other, &vec![0; SIZE_LIMIT + 1]] {
            let error = decode(Code::NotFound, "gone", details);
            assert_eq!((error.code(), error.message(), error.reason_name()), (Code::NotFound, "gone", None));
        }
    }
}
