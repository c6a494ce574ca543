//! The answer of one message.

use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header, request::Parts};
use weft_call::{Error, Result};
use weft_transcode::{PrintOptions, ResponseBody, Schema};
use weft_transport::metadata;

use crate::{
    body::{self, Body},
    catalogue::Route,
    exchange::for_client,
};

/// What stands around the message.
pub(super) struct Head {
    /// The HTTP status that the handler asks for.
    pub(super) status: Option<u16>,
    pub(super) headers: HeaderMap,
    pub(super) trailers: HeaderMap,
}

impl Head {
    /// Reads the status out of the headers.
    pub(super) fn with_status(mut self) -> Self {
        let asked = self.headers.remove(&metadata::HTTP_STATUS);
        self.status = asked.and_then(|status| status.to_str().ok()?.parse().ok());
        self
    }

    /// What a handler asks for, as long as it means success or a redirect; errors are not its to word.
    pub(super) fn status(&self) -> StatusCode {
        let asked = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        asked.filter(|status| status.is_success() || status.is_redirection()).unwrap_or(StatusCode::OK)
    }
}

/// The message as JSON, or as it is if it is an `HttpBody`, with the status and headers that the handler gave.
pub(super) fn json(schema: &Schema, route: &Route<'_>, parts: &Parts, message: &[u8], head: Head) -> Result<Response<Body>> {
    let status = head.status();
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut text = Vec::new();
    let binding = route.matched.binding;
    let made = binding.response_body(schema, message, &PrintOptions::default(), &mut text).map_err(Error::internal)?;
    let kind = match made {
        ResponseBody::Json => HeaderValue::from_static("application/json"),
        ResponseBody::Raw { content_type, data } => {
            text = data.to_vec();
            raw_type(content_type)
        }
    };
    let mut headers = for_client(head.headers);
    let trailers = for_client(head.trailers);
    let body = if !has_body {
        body::empty()
    } else if trailers.is_empty() {
        body::full(text)
    } else if parts.version == Version::HTTP_2 {
        body::with_trailers(text, trailers)
    } else {
        // HTTP/1.1 clients rarely read trailers, and all of them are known here.
        headers.extend(trailers);
        body::full(text)
    };
    if has_body {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The type of bytes that the service names, or none in particular.
pub(super) fn raw_type(named: &str) -> HeaderValue {
    let named = HeaderValue::from_str(named).ok().filter(|named| !named.is_empty());
    named.unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"))
}
