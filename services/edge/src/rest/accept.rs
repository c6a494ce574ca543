//! Which form of a stream a client wants (RFC 9110 section 12.5.1).

use http::{HeaderMap, header};

use super::rules::StreamForm;

/// The form that the client likes best; the method's own where it does not care or wants none that there is.
pub(super) fn form(headers: &HeaderMap, default: StreamForm) -> StreamForm {
    let wanted =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut best = (0.0, default);
    for range in wanted {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |quality| quality.parse::<f32>().ok());
        let form = match kind.as_str() {
            "text/event-stream" => StreamForm::Events,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => StreamForm::Lines,
            "application/json" => StreamForm::Array,
            "*/*" | "application/*" => default,
            _ => continue,
        };
        if let Some(quality) = quality.filter(|quality| *quality > best.0 && *quality <= 1.0) {
            best = (quality, form);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_form_is_what_the_client_likes_best() {
        for (accept, expected) in [
            ("", StreamForm::Lines),
            ("*/*", StreamForm::Lines),
            ("text/html", StreamForm::Lines),
            ("application/json", StreamForm::Array),
            ("text/event-stream", StreamForm::Events),
            ("Text/Event-Stream;q=0.5, application/json;q=0.4", StreamForm::Events),
            ("application/json;q=0.4, application/x-ndjson", StreamForm::Lines),
            ("application/json;q=0, text/event-stream;q=0.1", StreamForm::Events),
            ("application/json;q=x, text/event-stream;q=0.1", StreamForm::Events),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(form(&headers, StreamForm::Lines), expected, "{accept}");
        }
    }
}
