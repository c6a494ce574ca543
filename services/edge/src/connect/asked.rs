//! What a request asks for, by its head.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use weft_call::{Code, Error, Idempotency, MeshReason, MethodContract, MethodKind, Result};
use weft_transport::metadata;

use super::codec::Codec;
use crate::{
    arrival,
    body::{self, Lingering},
    encoding::Encoding,
    error::Failure,
};

/// How framed messages are packed.
pub(super) static STREAM_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
/// How framed messages of the answer may be packed.
pub(super) static STREAM_ACCEPTED: HeaderName = HeaderName::from_static("connect-accept-encoding");
static VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
static TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// The form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The query holds the message.
    Get,
    /// The body is the message.
    Unary(Codec),
    /// The body holds framed messages.
    Stream(Codec),
}

/// A message as it was sent, unpacked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) codec: Codec,
    pub(super) message: Bytes,
}

impl Form {
    /// The form that fits the method, or what HTTP says to one that does not.
    pub(super) fn of(parts: &Parts, method: &MethodContract) -> Result<Self, Failure> {
        let is_unary = method.kind == MethodKind::Unary;
        match &parts.method {
            &Method::POST => {}
            &Method::GET | &Method::HEAD if is_cacheable(method) => return Ok(Self::Get),
            _ => return Err(Failure::method_not_allowed(methods(method))),
        }
        let kind = arrival::only(&parts.headers, &header::CONTENT_TYPE)?.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let form = match kind.as_str() {
            "application/proto" => Self::Unary(Codec::Proto),
            "application/json" => Self::Unary(Codec::Json),
            "application/connect+proto" => Self::Stream(Codec::Proto),
            "application/connect+json" => Self::Stream(Codec::Json),
            _ => return Err(Failure::unsupported_connect_type(is_unary)),
        };
        if matches!(form, Self::Unary(_)) == is_unary { Ok(form) } else { Err(Failure::unsupported_connect_type(is_unary)) }
    }
}

/// Whether a GET may ask for it.
fn is_cacheable(method: &MethodContract) -> bool {
    method.kind == MethodKind::Unary && method.idempotency == Idempotency::Read
}

/// The HTTP methods that a method is called by.
pub(crate) fn methods(method: &MethodContract) -> &'static str {
    if is_cacheable(method) { "GET, HEAD, OPTIONS, POST" } else { "OPTIONS, POST" }
}

/// The body of a POST.
pub(super) async fn posted(codec: Codec, headers: &HeaderMap, body: Lingering, limit: usize) -> Result<Asked> {
    let message = body::read(body, limit).await?;
    let packing = packing(headers, &header::CONTENT_ENCODING)?;
    let message = match packing {
        // What is empty is taken as it is (the specification, "Unary-Request").
        Some(packing) if !message.is_empty() => packing.unpack(&message, limit).await?,
        _ => message,
    };
    Ok(Asked { codec, message })
}

/// How messages are packed, by the header that says so; none if they are not.
pub(super) fn packing(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Encoding>> {
    arrival::only(headers, name)?.map_or(Ok(None), packing_named)
}

/// The packing of a name.
pub(super) fn packing_named(name: &str) -> Result<Option<Encoding>> {
    if name.is_empty() || name == "identity" {
        return Ok(None);
    }
    let unknown = || Error::without_reason(Code::Unimplemented, format!("messages are taken as {}", Encoding::TAKEN));
    Encoding::named(name).map(Some).ok_or_else(unknown)
}

/// The version of the protocol is 1, where a client says it.
pub(super) fn check_version(headers: &HeaderMap) -> Result<()> {
    match arrival::only(headers, &VERSION)? {
        None | Some("1") => Ok(()),
        Some(_) => Err(invalid(&VERSION, "must be 1")),
    }
}

/// Puts Connect's timeout where gRPC's stands; what stood there is none of Connect's.
pub(super) fn adopt_timeout(headers: &mut HeaderMap) -> Result<()> {
    headers.remove(&metadata::TIMEOUT);
    let Some(text) = arrival::only(headers, &TIMEOUT)? else { return Ok(()) };
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let milliseconds = text.parse::<u64>().ok().filter(|_| is_number);
    let milliseconds = milliseconds.ok_or_else(|| invalid(&TIMEOUT, "is 1 to 10 digits"))?;
    // gRPC's has eight digits at most.
    let timeout = if text.len() <= 8 { format!("{milliseconds}m") } else { format!("{}S", milliseconds / 1000) };
    headers.insert(&metadata::TIMEOUT, HeaderValue::try_from(timeout).map_err(Error::internal)?);
    Ok(())
}

fn invalid(name: &HeaderName, problem: &str) -> Error {
    Error::new(MeshReason::HeaderInvalid, format!("{name}: {problem}")).with_metadata("header", name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn timeout(text: &str) -> Result<String> {
        let mut headers = HeaderMap::from_iter([(TIMEOUT.clone(), text.parse().unwrap())]);
        adopt_timeout(&mut headers)?;
        Ok(headers[&metadata::TIMEOUT].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_timeout_in_milliseconds_becomes_one_of_grpc() {
        for (sent, becomes) in [("0", "0m"), ("250", "250m"), ("99999999", "99999999m"), ("1234567890", "1234567S")] {
            assert_eq!(timeout(sent).unwrap(), becomes);
        }
        for wrong in ["", "-1", "1.5", "10s", "12345678901"] {
            assert_eq!(timeout(wrong).unwrap_err().reason(), Some(MeshReason::HeaderInvalid), "{wrong}");
        }
    }

    #[test]
    fn a_timeout_of_grpc_is_none_of_connects() {
        let mut headers = HeaderMap::from_iter([(metadata::TIMEOUT.clone(), "1m".parse().unwrap())]);
        adopt_timeout(&mut headers).unwrap();
        assert!(headers.is_empty());
    }

    #[test]
    fn a_packing_that_is_not_known_is_not_implemented() {
        assert_eq!(packing_named("br").unwrap(), Some(Encoding::Brotli));
        assert_eq!(packing_named("identity").unwrap(), None);
        assert_eq!(packing_named("snappy").unwrap_err().code(), Code::Unimplemented);
    }
}
