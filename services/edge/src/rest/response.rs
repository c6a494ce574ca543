//! The answer of a REST call.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde::Serialize as _;
use weft_call::{Error, Payload, Reply, Result};

use super::routes::Route;
use crate::body::{self, Body};

/// The reply as JSON, with the status and headers that the handler gave.
pub(super) fn json(route: &Route, reply: Reply<Payload>) -> Result<Response<Body>> {
    let Payload::Message(message) = reply.message else {
        return Err(Error::internal("a unary method answered with a stream"));
    };
    let message = DynamicMessage::decode(route.output.clone(), message).map_err(Error::internal)?;
    let status = status(reply.status);
    let has_body = status != StatusCode::NO_CONTENT;
    let mut response = Response::new(if has_body { body::full(text(route, &message)?) } else { body::empty() });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    take_over(headers, reply.headers);
    Ok(response)
}

/// What a handler asks for, as long as it means success or a redirect; errors are not its to word.
fn status(asked: Option<u16>) -> StatusCode {
    let asked = asked.and_then(|status| StatusCode::from_u16(status).ok());
    asked.filter(|status| status.is_success() || status.is_redirection()).unwrap_or(StatusCode::OK)
}

fn text(route: &Route, message: &DynamicMessage) -> Result<Vec<u8>> {
    let (mut text, options) = (Vec::new(), SerializeOptions::new());
    let mut json = serde_json::Serializer::new(&mut text);
    match &route.response_body {
        None => message.serialize_with_options(&mut json, &options).map_err(Error::internal)?,
        Some(field) => {
            // Serialised in its message, and taken out of there: a field has no JSON form by itself.
            let mut only = DynamicMessage::new(route.output.clone());
            only.set_field(field, message.get_field(field).into_owned());
            let options = options.skip_default_fields(false);
            let whole = only.serialize_with_options(serde_json::value::Serializer, &options).map_err(Error::internal)?;
            whole.get(field.json_name()).unwrap_or(&serde_json::Value::Null).serialize(&mut json).map_err(Error::internal)?;
        }
    }
    Ok(text)
}

/// Headers for the client, without those that belong to the connection, to gRPC or to the mesh.
fn take_over(headers: &mut HeaderMap, given: HeaderMap) {
    const OWN: [HeaderName; 8] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::DATE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let mut name = None;
    for (next, value) in given {
        name = next.or(name);
        if let Some(name) = &name
            && !OWN.contains(name)
            && !name.as_str().starts_with("grpc-")
            && !name.as_str().starts_with("weft-")
        {
            headers.append(name, value);
        }
    }
}
