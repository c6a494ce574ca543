//! Answers that the client need not get whole: what it has already, and parts of what is long (RFC 9110 sections 13
//! and 14).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

/// The part of some bytes that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    /// From the first to the last byte, both included.
    Part(u64, u64),
    /// A part that there is not.
    Nothing,
}

/// An etag of these bytes.
pub(crate) fn etag(bytes: &[u8]) -> Option<HeaderValue> {
    let digest = Sha256::digest(bytes);
    HeaderValue::try_from(format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]))).ok()
}

/// Whether the client has what is answered (`If-None-Match`).
pub(crate) fn is_known(asked: &HeaderMap, answered: &HeaderMap) -> bool {
    let Some(etag) = answered.get(header::ETAG).and_then(|etag| etag.to_str().ok()) else { return false };
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || opaque(known.trim()) == opaque(etag))
}

/// An etag without its mark of weakness.
fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// What is wanted of `total` bytes. Several parts at once are answered with the whole, as is allowed.
pub(super) fn wanted(asked: &HeaderMap, answered: &HeaderMap, total: u64) -> Wanted {
    let Some(range) = asked.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Wanted::Whole };
    if let Some(version) = asked.get(header::IF_RANGE) {
        // A part fits only what the client has the rest of.
        let is_same = answered.get(header::ETAG) == Some(version) && !version.as_bytes().starts_with(b"W/");
        if !is_same {
            return Wanted::Whole;
        }
    }
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse::<u64>().ok().map(Some),
        _ => None,
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) if last.is_none_or(|last| last >= first) => match last {
            _ if first >= total => Wanted::Nothing,
            last => Wanted::Part(first, last.unwrap_or(u64::MAX).min(total - 1)),
        },
        (Some(None), Some(Some(suffix))) if suffix == 0 || total == 0 => Wanted::Nothing,
        (Some(None), Some(Some(suffix))) => Wanted::Part(total.saturating_sub(suffix), total - 1),
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_part_is_what_the_range_says_or_the_whole() {
        for (range, expected) in [
            ("bytes=0-9", Wanted::Part(0, 9)),
            ("bytes=90-", Wanted::Part(90, 99)),
            ("bytes=-1", Wanted::Part(99, 99)),
            ("bytes=-1000", Wanted::Part(0, 99)),
            ("bytes=50-1000", Wanted::Part(50, 99)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-0", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("bytes=0-99999999999999999999999", Wanted::Whole),
        ] {
            assert_eq!(wanted(&headers(&[(header::RANGE, range)]), &HeaderMap::new(), 100), expected, "{range}");
        }
        assert_eq!(wanted(&headers(&[(header::RANGE, "bytes=-5")]), &HeaderMap::new(), 0), Wanted::Nothing);
    }

    #[test]
    fn a_part_of_something_else_is_not_given() {
        let answered = headers(&[(header::ETAG, "\"v2\"")]);
        for (version, expected) in [("\"v2\"", Wanted::Part(0, 9)), ("\"v1\"", Wanted::Whole), ("W/\"v2\"", Wanted::Whole)] {
            let asked = headers(&[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, version)]);
            assert_eq!(wanted(&asked, &answered, 100), expected, "{version}");
        }
    }

    #[test]
    fn what_the_client_has_is_known_by_its_etag_weak_or_not() {
        let answered = headers(&[(header::ETAG, "\"v2\"")]);
        for (etags, expected) in [("\"v2\"", true), ("W/\"v2\"", true), ("\"v1\", \"v2\"", true), ("*", true), ("\"v1\"", false)]
        {
            assert_eq!(is_known(&headers(&[(header::IF_NONE_MATCH, etags)]), &answered), expected, "{etags}");
        }
        assert!(!is_known(&headers(&[(header::IF_NONE_MATCH, "*")]), &HeaderMap::new()));
    }
}
