//! What a request says that its body is.

use http::{HeaderMap, header};
use weft_call::Result;

use crate::{arrival, error::Failure};

/// What it says.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<&str>> {
    arrival::only(headers, &header::CONTENT_TYPE)
}

/// JSON, as `application/json` or a type built on it, in UTF-8; what is not said is taken for JSON.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    require(headers, |kind| kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json"))
}

/// JSON, or JSON values one behind the other.
pub(super) fn require_json_stream(headers: &HeaderMap) -> Result<(), Failure> {
    const LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
    if LINES.iter().any(|kind| require(headers, |sent| sent == *kind).is_ok()) { Ok(()) } else { require_json(headers) }
}

fn require(headers: &HeaderMap, is_it: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let Some(value) = of(headers)? else { return Ok(()) };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let is_utf8 = |parameter: String| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    };
    if is_it(&kind) && parts.all(is_utf8) { Ok(()) } else { Err(Failure::unsupported_media_type()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_body_is_json_in_utf8_or_refused() {
        require_json(&HeaderMap::new()).unwrap();
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json", "application/json;v=1"]
        {
            require_json(&with(good)).unwrap();
            require_json_stream(&with(good)).unwrap();
        }
        for bad in
            ["text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded", "json", "image/svg+json"]
        {
            require_json(&with(bad)).unwrap_err();
            require_json_stream(&with(bad)).unwrap_err();
        }
    }

    #[test]
    fn a_stream_may_come_in_lines() {
        for good in ["application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl"] {
            require_json_stream(&with(good)).unwrap();
            require_json(&with(good)).unwrap_err();
        }
        require_json_stream(&with("application/x-ndjson; charset=latin1")).unwrap_err();
    }
}
