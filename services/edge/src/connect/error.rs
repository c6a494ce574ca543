//! How a failed call looks, and how trailers do.
//!
//! The JSON of an error ("Error", "EndStreamResponse") has the code's name in lower case, the message, and the details as
//! their types and bytes, so that none is lost for being unknown here.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use prost::Message;
use prost_types::Any;
use serde_json::{Map, Value, json};
use weft_call::{Code, Error, MeshReason, RequestId};

use crate::{
    body::{self, Body},
    error::{advise, without_mesh},
    exchange::{Failed, for_client},
    front::Front,
    grpc::framing,
    record::Observation,
};

/// The flag of the frame that ends an answer.
const END: u8 = 2;
/// What stands before the names of trailers in the head of a unary answer.
const TRAILER: &str = "trailer-";

/// `google.rpc.Status`, as far as it is not in an [`Error`] already.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// The request's id where failures tell it; clients of a server that is no domain are told in that server's words only.
pub(super) fn told_id<'o>(front: &Front, observation: &'o Observation) -> Option<&'o RequestId> {
    (!front.stands_alone()).then_some(&observation.arrival.request_id)
}

/// The answer of a unary call that failed.
pub(super) fn response(failed: Failed, request_id: Option<&RequestId>) -> Response<Body> {
    let Failed { error, beside } = failed;
    let mut response = Response::new(body::full(json(&error, request_id).to_string()));
    *response.status_mut() = StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(beside) = beside {
        *response.headers_mut() = for_client(beside.headers);
        add_trailers(response.headers_mut(), beside.trailers);
    }
    advise(&error, response.headers_mut());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Puts trailers into the head, as unary answers have them.
pub(super) fn add_trailers(headers: &mut HeaderMap, trailers: HeaderMap) {
    for (name, value) in &for_client(trailers) {
        if let Ok(name) = HeaderName::try_from(format!("{TRAILER}{name}")) {
            headers.append(name, value.clone());
        }
    }
}

/// The frame that ends an answer.
pub(super) fn end_of_stream(failed: Option<&Error>, request_id: Option<&RequestId>, trailers: Option<HeaderMap>) -> Bytes {
    let mut end = Map::new();
    if let Some(error) = failed {
        end.insert("error".to_owned(), json(error, request_id));
    }
    let mut metadata = Map::new();
    for (name, value) in &for_client(trailers.unwrap_or_default()) {
        if let (Ok(value), Value::Array(values)) = (value.to_str(), metadata.entry(name.as_str()).or_insert(json!([]))) {
            values.push(value.into());
        }
    }
    if !metadata.is_empty() {
        end.insert("metadata".to_owned(), metadata.into());
    }
    // A status that came in 16 KiB of headers is no longer than 4 GiB.
    framing::frame(END, Value::Object(end).to_string().as_bytes()).unwrap_or_default()
}

/// The JSON of an error.
fn json(error: &Error, request_id: Option<&RequestId>) -> Value {
    let bare = (request_id.is_none() && error.reason::<MeshReason>().is_some()).then(|| without_mesh(error));
    let status = weft_call::status::encode(bare.as_ref().unwrap_or(error), request_id.map(RequestId::as_str));
    let details = Status::decode(status.as_slice()).unwrap_or_default().details;
    let mut told = json!({"code": name(error.code())});
    if !error.message().is_empty() {
        told["message"] = error.message().into();
    }
    if !details.is_empty() {
        told["details"] = details.iter().map(detail).collect();
    }
    told
}

fn detail(detail: &Any) -> Value {
    let name = detail.type_url.rsplit('/').next().unwrap_or_default();
    json!({"type": name, "value": STANDARD_NO_PAD.encode(&detail.value)})
}

/// The code's name, which Connect spells its own way in one case.
fn name(code: Code) -> String {
    match code {
        Code::Cancelled => "canceled".to_owned(),
        code => code.name().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_error_is_told_by_its_name_with_its_details_as_bytes() {
        let error = Error::new(MeshReason::CallCancelled, "gone").with_metadata("a", "b");
        let told = json(&error, Some(&RequestId::parse("r-1").unwrap()));
        assert_eq!((told["code"].as_str(), told["message"].as_str()), (Some("canceled"), Some("gone")));
        let types: Vec<_> = told["details"].as_array().unwrap().iter().map(|detail| detail["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["google.rpc.ErrorInfo", "google.rpc.Help", "google.rpc.RequestInfo"]);
        assert_eq!(told["details"][2]["value"], "CgNyLTE");
        assert_eq!(json(&Error::without_reason(Code::NotFound, ""), None), json!({"code": "not_found"}));
    }

    #[test]
    fn the_end_of_a_stream_holds_its_outcome_and_trailers() {
        assert_eq!(&end_of_stream(None, None, None)[..], b"\x02\0\0\0\x02{}");
        let mut trailers = HeaderMap::new();
        trailers.append("x-a", HeaderValue::from_static("1"));
        trailers.append("x-a", HeaderValue::from_static("2"));
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        let end = end_of_stream(Some(&Error::without_reason(Code::NotFound, "no")), None, Some(trailers));
        let told: Value = serde_json::from_slice(&end[5..]).unwrap();
        assert_eq!(told, json!({"error": {"code": "not_found", "message": "no"}, "metadata": {"x-a": ["1", "2"]}}));
    }
}
