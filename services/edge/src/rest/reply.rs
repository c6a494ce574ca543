//! The answer of one message.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use weft_call::Error;
use weft_transcode::{PrintOptions, ResponseBody, Schema};
use weft_transport::metadata;

use super::{
    conditional::{self, Wanted},
    rules::Rules,
};
use crate::{
    body::{self, Body},
    catalogue::Route,
    error::Failure,
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
pub(super) fn json(
    schema: &Schema,
    route: &Route<'_>,
    parts: &Parts,
    message: &[u8],
    head: Head,
) -> Result<Response<Body>, Failure> {
    let status = head.status();
    let mut text = Vec::new();
    let binding = route.matched.binding;
    let made = binding.response_body(schema, message, &PrintOptions::default(), &mut text).map_err(Error::internal)?;
    let mut headers = for_client(head.headers);
    let (kind, is_raw) = match made {
        ResponseBody::Json => (HeaderValue::from_static("application/json"), false),
        ResponseBody::Raw { content_type, data } => {
            text = data.to_vec();
            (raw_type(content_type), true)
        }
    };
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(with(status, headers, body::empty()));
    }
    headers.insert(header::CONTENT_TYPE, kind);
    if status == StatusCode::OK && matches!(parts.method, Method::GET | Method::HEAD) {
        let text = &text;
        cache(&route.served.rules, &mut headers, || conditional::etag(text));
        if conditional::is_known(&parts.headers, &headers) {
            return Ok(not_modified(headers));
        }
        if is_raw {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            match conditional::wanted(&parts.headers, &headers, text.len() as u64) {
                Wanted::Whole => {}
                Wanted::Nothing => return Err(Failure::range_not_satisfiable(text.len() as u64)),
                Wanted::Part(first, last) => {
                    headers.insert(header::CONTENT_RANGE, content_range(first, last, text.len() as u64));
                    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                    let part = text.get(place(first)..=place(last)).unwrap_or_default().to_vec();
                    return Ok(with(StatusCode::PARTIAL_CONTENT, headers, body::full(part)));
                }
            }
        }
    }
    let trailers = for_client(head.trailers);
    let body = if trailers.is_empty() {
        body::full(text)
    } else if parts.version == Version::HTTP_2 {
        body::with_trailers(text, trailers)
    } else {
        // HTTP/1.1 clients rarely read trailers, and all of them are known here.
        headers.extend(trailers);
        body::full(text)
    };
    Ok(with(status, headers, body))
}

/// Says how long an answer may be kept, as the contract has it, and by what it is known again.
pub(super) fn cache(rules: &Rules, headers: &mut HeaderMap, etag: impl FnOnce() -> Option<HeaderValue>) {
    if rules.cache_control.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&rules.cache_control) {
        headers.entry(header::CACHE_CONTROL).or_insert(value);
    }
    if !headers.contains_key(header::ETAG)
        && let Some(etag) = etag()
    {
        headers.insert(header::ETAG, etag);
    }
}

/// The client has it already.
pub(super) fn not_modified(mut headers: HeaderMap) -> Response<Body> {
    headers.remove(header::CONTENT_TYPE);
    with(StatusCode::NOT_MODIFIED, headers, body::empty())
}

/// Where a part stands in the whole.
pub(super) fn content_range(first: u64, last: u64, total: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {first}-{last}/{total}")).unwrap_or(HeaderValue::from_static("bytes */*"))
}

/// The type of bytes that the service names, or none in particular.
pub(super) fn raw_type(named: &str) -> HeaderValue {
    let named = HeaderValue::from_str(named).ok().filter(|named| !named.is_empty());
    named.unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"))
}

fn with(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_says_success_or_a_redirect_and_nothing_else() {
        for (asked, status) in [(201, 201), (202, 202), (204, 204), (303, 303), (307, 307), (404, 200), (500, 200), (99, 200)] {
            let head = Head { status: Some(asked), headers: HeaderMap::new(), trailers: HeaderMap::new() };
            assert_eq!(head.status(), status, "{asked}");
        }
    }
}
