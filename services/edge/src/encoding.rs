//! Compressed bodies (RFC 9110 section 8.4): gzip, br and zstd, both ways, for bodies that are all there.
//!
//! Problem: a small body can unpack to a huge one. Rule: unpacking stops at the limit of the body, and at
//! [`RATIO`] times what came once that is more than [`HARMLESS`]; streams are taken and given as they are.

use std::io::{Read, Write};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use weft_call::{Error, FieldViolation, MeshReason};

use crate::{
    arrival, aside,
    body::{self, Body},
    error::Failure,
};

/// Bytes that come out for each that came in, at most. JSON rarely packs better than 1 to 50.
const RATIO: usize = 200;
/// What may come out whatever came in, in bytes.
const HARMLESS: usize = 1024 * 1024;
/// Smaller answers are not worth it; larger ones would take longer than they save.
const WORTHWHILE: std::ops::RangeInclusive<u64> = 1024..=1024 * 1024;

/// A way to pack bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Brotli,
    Zstd,
}

impl Encoding {
    /// What clients may send, for a refusal.
    pub(crate) const TAKEN: &str = "gzip, br, zstd, identity";

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let named = |encoding: &Self| encoding.name().eq_ignore_ascii_case(name);
        [Self::Gzip, Self::Brotli, Self::Zstd]
            .into_iter()
            .find(named)
            .or(name.eq_ignore_ascii_case("x-gzip").then_some(Self::Gzip))
    }

    /// How a request's body is packed; none if it is not.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        match arrival::only(headers, &header::CONTENT_ENCODING)? {
            None => Ok(None),
            Some(name) if name.eq_ignore_ascii_case("identity") => Ok(None),
            Some(name) => Self::named(name).map(Some).ok_or_else(Failure::unsupported_encoding),
        }
    }

    /// Whether the client takes answers that are packed so.
    pub(crate) fn is_taken(self, asked: &HeaderMap) -> bool {
        let accepted = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        accepted.flat_map(|value| value.split(',')).any(|range| Self::for_answer(range) == Some(self))
    }

    /// How the client likes an answer to be packed; the smallest of what it likes equally.
    pub(crate) fn for_answer(accepted: &str) -> Option<Self> {
        // Qualities have three digits (RFC 9110 section 12.4.2), so whole thousandths compare exactly.
        let quality = |text: &str| match text.parse::<f32>() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 1000")]
            Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0) as u16,
            _ => 0,
        };
        let liked = accepted.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let encoding = Self::named(parts.next()?)?;
            Some((parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, quality), encoding))
        });
        liked
            .filter(|(quality, _)| *quality > 0)
            .max_by_key(|(quality, encoding)| (*quality, *encoding as u8))
            .map(|(_, encoding)| encoding)
    }

    /// Unpacks a body to at most `limit` bytes.
    pub(crate) async fn unpack(self, packed: &[u8], limit: usize) -> Result<Bytes, Error> {
        let most = limit.min(packed.len().saturating_mul(RATIO).max(HARMLESS));
        let broken = |error: std::io::Error| {
            let description = format!("is not {}", self.name());
            let violation = FieldViolation { field: "body".to_owned(), description, rule: String::new() };
            Error::new(MeshReason::MalformedMessage, "the body cannot be unpacked").with_violation(violation).with_source(error)
        };
        let mut reader = self.reader(packed).map_err(broken)?;
        let (short, rest) = (aside::SHORT.min(most + 1), (most + 1).saturating_sub(aside::SHORT));
        let mut unpacked = Vec::new();
        // How long it takes is seen only as it comes.
        reader.by_ref().take(short as u64).read_to_end(&mut unpacked).map_err(broken)?;
        if unpacked.len() == short {
            let read = aside::run(rest, || reader.take(rest as u64).read_to_end(&mut unpacked)).await;
            read.map_err(broken)?;
        }
        if unpacked.len() > most {
            return Err(Error::new(MeshReason::MessageTooLarge, "the body unpacks to more than is taken"));
        }
        Ok(unpacked.into())
    }

    /// What reads packed bytes.
    fn reader(self, packed: &[u8]) -> std::io::Result<Box<dyn Read + Send + '_>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Brotli => Box::new(brotli::Decompressor::new(packed, 4096)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(packed)?;
                // 8 MiB (RFC 9659): the window is memory that the client chooses.
                decoder.window_log_max(23)?;
                Box::new(decoder)
            }
        })
    }

    pub(crate) fn pack(self, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(4));
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut packed = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut packed, 4096, 4, 20);
                encoder.write_all(plain)?;
                encoder.flush()?;
                drop(encoder);
                Ok(packed)
            }
            Self::Zstd => zstd::stream::encode_all(plain, 3),
        }
    }
}

/// Packs an answer as the client likes it, if that is worth it.
pub(crate) async fn packed(response: Response<Body>, accepted: Option<&HeaderValue>) -> Response<Body> {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let packs = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml") || kind == "application/proto";
    let length = response.body().size_hint().exact();
    let is_whole = response.status() != http::StatusCode::PARTIAL_CONTENT;
    if !packs
        || !is_whole
        || headers.contains_key(header::CONTENT_ENCODING)
        || !length.is_some_and(|length| WORTHWHILE.contains(&length))
    {
        return response;
    }
    let (mut parts, content) = response.into_parts();
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let Some(encoding) = accepted.and_then(|accepted| Encoding::for_answer(accepted.to_str().ok()?)) else {
        return Response::from_parts(parts, content);
    };
    let plain = match content.collect().await {
        Ok(plain) => plain.to_bytes(),
        // A body that is all there does not fail.
        Err(error) => {
            tracing::error!(error, "an answer was lost");
            return Response::from_parts(parts, body::empty());
        }
    };
    match aside::run(plain.len(), || encoding.pack(&plain)).await {
        Ok(packed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            weaken_etag(&mut parts.headers);
            Response::from_parts(parts, body::full(packed))
        }
        Err(error) => {
            tracing::warn!(%error, "an answer could not be packed");
            Response::from_parts(parts, body::full(plain))
        }
    }
}

/// Other bytes are another representation: what they share is the meaning.
fn weaken_etag(headers: &mut HeaderMap) {
    let strong = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).filter(|etag| etag.starts_with('"'));
    if let Some(Ok(weak)) = strong.map(|etag| HeaderValue::try_from(format!("W/{etag}"))) {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

    #[tokio::test]
    async fn what_is_packed_unpacks_to_the_same() {
        for times in [1, 100, 10_000] {
            let plain = b"{\"text\": \"hello\"}".repeat(times);
            for encoding in ALL {
                let unpacked = encoding.unpack(&encoding.pack(&plain).unwrap(), plain.len()).await.unwrap();
                assert_eq!(unpacked, plain, "{encoding:?} {times}");
            }
        }
    }

    #[tokio::test]
    async fn a_bomb_is_put_out_by_the_limit_and_by_the_ratio() {
        let plain = vec![b' '; 10 * 1024 * 1024];
        for encoding in ALL {
            let bomb = encoding.pack(&plain).unwrap();
            for limit in [1000, aside::SHORT - 1, aside::SHORT, 1024 * 1024, 100 * 1024 * 1024] {
                let error = encoding.unpack(&bomb, limit).await.unwrap_err();
                assert_eq!(error.reason(), Some(MeshReason::MessageTooLarge), "{encoding:?} {limit}");
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_unpack_is_the_bodys_fault() {
        for encoding in ALL {
            for broken in [&b"garbage"[..], &encoding.pack(&[7; 1000]).unwrap()[..10]] {
                let error = encoding.unpack(broken, 10_000).await.unwrap_err();
                assert_eq!(error.violations()[0].field, "body", "{encoding:?}");
            }
        }
    }

    #[test]
    fn the_answer_is_packed_as_the_client_likes() {
        for (accept, expected) in [
            ("", None),
            ("identity, *;q=0.1", None),
            ("gzip", Some(Encoding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Encoding::Zstd)),
            ("gzip;q=1.0, br;q=0.5", Some(Encoding::Gzip)),
            ("gzip;q=0, br;q=x", None),
        ] {
            assert_eq!(Encoding::for_answer(accept), expected, "{accept}");
        }
    }
}
