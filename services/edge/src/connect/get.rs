//! A message in the query of a GET ("Unary-Get-Request"): `encoding`, `message`, and where they apply `base64`,
//! `compression` and `connect`.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use percent_encoding::percent_decode;
use weft_call::{Error, FieldViolation, MeshReason, Result};

use super::{
    asked::{Asked, packing_named},
    codec::Codec,
};

/// With the alphabet for URLs; padding may stand or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The message of a query, of at most `limit` bytes.
pub(super) async fn asked(query: &str, limit: usize) -> Result<Asked> {
    let [mut version, mut codec, mut message, mut base64, mut packing] = [const { None }; 5];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "connect" => &mut version,
            "encoding" => &mut codec,
            "message" => &mut message,
            "base64" => &mut base64,
            "compression" => &mut packing,
            // Others are for caches and logs on the way.
            _ => continue,
        };
        if place.replace(read(value)).is_some() {
            return Err(invalid(name, "is set more than once"));
        }
    }
    if version.is_some_and(|version| version != b"v1") {
        return Err(invalid("connect", "must be v1"));
    }
    let codec = match codec.as_deref() {
        Some(b"proto") => Codec::Proto,
        Some(b"json") => Codec::Json,
        _ => return Err(invalid("encoding", "must be proto or json")),
    };
    let message = message.ok_or_else(|| invalid("message", "must be set"))?;
    let message = match base64.as_deref() {
        Some(b"1") => BASE64.decode(&message).map_err(|_| invalid("message", "is not base64 for URLs"))?,
        None | Some(b"0") => message,
        Some(_) => return Err(invalid("base64", "must be 1")),
    };
    let packing = packing.map(|name| packing_named(&String::from_utf8_lossy(&name))).transpose()?.flatten();
    let message = match packing {
        Some(packing) if !message.is_empty() => packing.unpack(&message, limit).await?,
        _ => Bytes::from(message),
    };
    Ok(Asked { codec, message })
}

/// A value of a query, whose `+` is a space.
fn read(value: &str) -> Vec<u8> {
    let spaced: Vec<u8> = value.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).collect()
}

fn invalid(name: &str, problem: &str) -> Error {
    let violation = FieldViolation { field: name.to_owned(), description: problem.to_owned(), rule: String::new() };
    Error::new(MeshReason::MalformedMessage, format!("invalid query: {name}: {problem}")).with_violation(violation)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test]
    async fn a_message_is_read_in_every_form() {
        for (query, codec, message) in [
            ("encoding=json&message=%7B%22id%22%3A%227%22%7D&connect=v1", Codec::Json, &b"{\"id\":\"7\"}"[..]),
            ("encoding=json&message={}&base64=0&other=x", Codec::Json, b"{}"),
            ("message=%0A%02+%FF&encoding=proto", Codec::Proto, b"\n\x02 \xff"),
            ("message=CgE3&encoding=proto&base64=1", Codec::Proto, b"\n\x017"),
            ("message=_-8%3D&encoding=proto&base64=1", Codec::Proto, b"\xff\xef"),
            ("message=&encoding=proto&compression=gzip", Codec::Proto, b""),
        ] {
            let asked = asked(query, 100).await.unwrap();
            assert_eq!((asked.codec, &asked.message[..]), (codec, message), "{query}");
        }
    }

    #[tokio::test]
    async fn a_query_that_does_not_fit_is_told_by_its_parameter() {
        for (query, field) in [
            ("message=x", "encoding"),
            ("message=x&encoding=xml", "encoding"),
            ("encoding=json", "message"),
            ("encoding=json&message=x&message=y", "message"),
            ("encoding=json&message=*&base64=1", "message"),
            ("encoding=json&message=x&base64=yes", "base64"),
            ("encoding=json&message=x&connect=v2", "connect"),
        ] {
            assert_eq!(asked(query, 100).await.unwrap_err().violations()[0].field, field, "{query}");
        }
        assert_eq!(asked("encoding=json&message=x&compression=snappy", 100).await.unwrap_err().code().number(), 12);
    }
}
