//! How a call travels in headers, and the only names that it travels under.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;
use weft_call::{Assertion, Call, IdempotencyKey, Principal, RequestId, Scope, TenantId, TraceContext};

/// The principal's signed assertion.
pub static ASSERTION: HeaderName = HeaderName::from_static("weft-assertion-bin");
/// The tenant for which a domain acts on its own account.
pub static TENANT: HeaderName = HeaderName::from_static("weft-tenant");
/// The HTTP status that a reply asks the edge for.
pub static HTTP_STATUS: HeaderName = HeaderName::from_static("weft-http-status");
/// The id that all log lines of a request share.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The key that marks repeats.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The time left for the call (gRPC over HTTP/2, "Timeout").
pub static TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// W3C trace context.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C trace context, the vendors' part.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// From here on timeouts travel in milliseconds.
const SECOND: Duration = Duration::from_secs(1);

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// A value that differs from call to call. HPACK is told not to remember it (RFC 7541, section 7.1.3):
/// it would push out of the table what does not change, such as the assertion.
fn passing(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Writes what travels with the call. Headers of these names that stand already are replaced or
/// removed, so that nothing a stranger sent passes for the call's own.
pub fn inject(call: &Call, trace: &TraceContext, timeout: Option<Duration>, headers: &mut HeaderMap) {
    set_request_id(call.request_id(), headers);
    set_trace(trace, headers);
    let mut set = |name: &HeaderName, value: Option<HeaderValue>| match value {
        Some(value) => _ = headers.insert(name, value),
        None => _ = headers.remove(name),
    };
    set(&ASSERTION, call.authority().map(|assertion| assertion.header().clone()));
    let acts_alone = matches!(call.principal(), Principal::Job { .. } | Principal::Workload(_));
    set(
        &TENANT,
        match call.scope() {
            Scope::Tenant(tenant) if acts_alone => value(&tenant.to_string()),
            _ => None,
        },
    );
    set(&IDEMPOTENCY_KEY, call.idempotency_key().and_then(|key| passing(key.as_str().to_owned())));
    set(&header::IF_MATCH, call.if_match().and_then(value));
    set_timeout(timeout, headers);
}

/// Writes the id of the request, in place of what stands there.
pub fn set_request_id(id: &RequestId, headers: &mut HeaderMap) {
    // It was checked to be visible ASCII when it was made.
    if let Some(value) = passing(id.as_str().to_owned()) {
        headers.insert(&REQUEST_ID, value);
    }
}

/// Writes the time left for the call, in place of what stands there.
pub fn set_timeout(timeout: Option<Duration>, headers: &mut HeaderMap) {
    let value = timeout.and_then(|timeout| {
        let text = format_timeout(timeout);
        if timeout < SECOND { passing(text) } else { value(&text) }
    });
    match value {
        Some(value) => _ = headers.insert(&TIMEOUT, value),
        None => _ = headers.remove(&TIMEOUT),
    }
}

/// Writes which trace the call belongs to, in place of what stands there.
pub fn set_trace(trace: &TraceContext, headers: &mut HeaderMap) {
    let mut set = |name: &HeaderName, value: Option<HeaderValue>| match value {
        Some(value) => _ = headers.insert(name, value),
        None => _ = headers.remove(name),
    };
    set(&TRACEPARENT, passing(trace.traceparent()));
    set(&TRACESTATE, state(trace));
}

fn state(trace: &TraceContext) -> Option<HeaderValue> {
    Some(trace.state.as_ref()).filter(|state| !state.is_empty()).and_then(value)
}

/// What a peer's headers say of a call; what cannot be read is as if it had not come, save that a
/// broken idempotency key must not silently unprotect a change: it is for the caller to refuse.
#[derive(Debug, Default)]
pub struct Extracted {
    /// The id that all log lines of the request share.
    pub request_id: Option<RequestId>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// The signed assertion, not yet verified.
    pub assertion: Option<Assertion>,
    /// The tenant for which a domain acts on its own account.
    pub tenant: Option<TenantId>,
    /// The key that marks repeats; an error if one came that cannot be used.
    pub idempotency_key: Option<Result<IdempotencyKey, weft_call::IdempotencyKeyError>>,
    /// The etag that the caller expects.
    pub if_match: Option<String>,
    /// The time left for the call.
    pub timeout: Option<Duration>,
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The id that all log lines of the request share.
pub fn request_id(headers: &HeaderMap) -> Option<RequestId> {
    text(headers, &REQUEST_ID).and_then(|id| RequestId::parse(id).ok())
}

/// The trace that the request belongs to.
pub fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    text(headers, &TRACEPARENT).and_then(|parent| TraceContext::parse(parent, text(headers, &TRACESTATE)))
}

/// Reads what [`inject`] wrote.
pub fn extract(headers: &HeaderMap) -> Extracted {
    let text = |name: &HeaderName| text(headers, name);
    Extracted {
        request_id: request_id(headers),
        trace: trace(headers),
        assertion: headers.get(&ASSERTION).cloned().map(Assertion::from_header),
        tenant: text(&TENANT).and_then(|tenant| Uuid::try_parse(tenant).ok()).map(TenantId),
        idempotency_key: headers
            .get(&IDEMPOTENCY_KEY)
            .map(|key| key.to_str().map_or(Err(weft_call::IdempotencyKeyError), IdempotencyKey::parse)),
        if_match: text(&header::IF_MATCH).map(str::to_owned),
        timeout: timeout(headers),
    }
}

/// The time left for the call.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    headers.get(&TIMEOUT).and_then(|value| value.to_str().ok()).and_then(parse_timeout)
}

/// `grpc-timeout`: at most eight digits and a unit. From a second on in whole milliseconds, rounded
/// down, so that most calls of a method say the same and HPACK sends one byte; below in microseconds,
/// rounded up, at least one.
pub fn format_timeout(timeout: Duration) -> String {
    const LARGEST: u128 = 99_999_999;
    if timeout < SECOND {
        return format!("{}u", timeout.as_nanos().div_ceil(1000).max(1));
    }
    let millis = timeout.as_millis();
    if millis <= LARGEST { format!("{millis}m") } else { format!("{}S", u128::from(timeout.as_secs()).min(LARGEST)) }
}

/// Reads `grpc-timeout`; `None` if it breaks the grammar.
pub fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use weft_call::{CallBuilder, Clock};

    use super::*;

    #[test]
    fn a_call_reads_back_as_it_was_written() {
        let mut parts = CallBuilder::new(Clock::system());
        parts.authority = Some(Assertion::new(b"signed"));
        parts.idempotency_key = IdempotencyKey::parse("k-1").ok();
        parts.if_match = Some("\"7\"".into());
        let call = parts.build();
        let mut headers = HeaderMap::new();
        headers.insert(&TENANT, HeaderValue::from_static("0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50"));
        inject(&call, call.trace(), Some(Duration::from_millis(1500)), &mut headers);
        let read = extract(&headers);
        assert_eq!(read.request_id.as_ref(), Some(call.request_id()));
        assert_eq!(read.trace.map(|trace| trace.traceparent()), Some(call.trace().traceparent()));
        assert_eq!(read.assertion.as_ref(), call.authority());
        assert_eq!(read.idempotency_key, Some(IdempotencyKey::parse("k-1")));
        assert_eq!(read.if_match.as_deref(), Some("\"7\""));
        assert_eq!(read.timeout, Some(Duration::from_millis(1500)));
        assert_eq!(read.tenant, None, "a header that the call does not own is removed");
    }

    #[test]
    fn timeouts_follow_the_grammar() {
        for (text, expected) in
            [("1H", 3600.0), ("2M", 120.0), ("3S", 3.0), ("4m", 0.004), ("5u", 0.000_005), ("6n", 0.000_000_006)]
        {
            assert_eq!(parse_timeout(text), Some(Duration::from_secs_f64(expected)), "{text}");
        }
        for bad in ["", "S", "1", "-1S", "123456789S", "1s", "1é", " 1S"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?}");
        }
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_mins(10), Duration::from_hours(100_000)] {
            let text = format_timeout(timeout);
            assert!(text.len() <= 9 && parse_timeout(&text).is_some_and(|read| !read.is_zero()), "{text}");
        }
    }
}
