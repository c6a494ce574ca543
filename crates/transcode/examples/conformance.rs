//! The program that the official protobuf conformance runner tests: JSON to wire, wire to JSON, JSON to JSON.
//!
//! It answers `skipped` where JSON is on neither side. `build-support/conformance.sh` builds and runs it; the types
//! come from the descriptor set named by `CONFORMANCE_DESCRIPTOR_SET`. The messages of the runner's own protocol
//! (`conformance.proto`) have five fields that matter, so they are read by hand.

#![allow(clippy::cast_possible_truncation, reason = "varints are cut to bytes")]

use std::io::{Read, Write};

use anyhow::{Context, bail};
use weft_transcode::{PrintOptions, ReadOptions, Reason, Schema, UnknownFields, json_to_wire, wire_to_json};

/// `conformance.WireFormat`.
const PROTOBUF: u64 = 1;
const JSON: u64 = 2;
/// `conformance.TestCategory`.
const JSON_IGNORE_UNKNOWN: u64 = 3;

/// The fields of `conformance.ConformanceResponse` that we set.
enum Answer {
    ParseError(String),
    SerializeError(String),
    Wire(Vec<u8>),
    Json(Vec<u8>),
    Skipped,
}

/// The fields of `conformance.ConformanceRequest` that matter.
#[derive(Default)]
struct Request {
    wire: Option<Vec<u8>>,
    json: Option<Vec<u8>>,
    output: u64,
    message: String,
    category: u64,
}

fn main() -> anyhow::Result<()> {
    let path = std::env::var("CONFORMANCE_DESCRIPTOR_SET").context("CONFORMANCE_DESCRIPTOR_SET is not set")?;
    let set = std::fs::read(&path).with_context(|| path.clone())?;
    let schema = Schema::from_descriptor_set(&set)?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(frame) = read_frame(&mut input)? {
        let response = encode(answer(&schema, &Request::read(&frame)?)?);
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    Ok(())
}

fn read_frame(input: &mut impl Read) -> anyhow::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(end) if end.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut frame)?;
    Ok(Some(frame))
}

impl Request {
    fn read(mut frame: &[u8]) -> anyhow::Result<Self> {
        let mut request = Self::default();
        while !frame.is_empty() {
            let tag = varint(&mut frame)?;
            let value = varint(&mut frame)?;
            match tag & 7 {
                0 if tag >> 3 == 3 => request.output = value,
                0 if tag >> 3 == 5 => request.category = value,
                0 => {}
                2 => {
                    let (bytes, rest) = frame.split_at_checked(usize::try_from(value)?).context("truncated request")?;
                    frame = rest;
                    match tag >> 3 {
                        1 => request.wire = Some(bytes.to_vec()),
                        2 => request.json = Some(bytes.to_vec()),
                        4 => request.message = String::from_utf8(bytes.to_vec())?,
                        _ => {}
                    }
                }
                _ => bail!("unexpected wire type in the request"),
            }
        }
        Ok(request)
    }
}

fn varint(bytes: &mut &[u8]) -> anyhow::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().context("truncated request")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("invalid varint in the request")
}

fn encode(answer: Answer) -> Vec<u8> {
    let (number, content) = match answer {
        Answer::ParseError(text) => (1, text.into_bytes()),
        Answer::Wire(bytes) => (3, bytes),
        Answer::Json(bytes) => (4, bytes),
        Answer::Skipped => (5, b"JSON is on neither side".to_vec()),
        Answer::SerializeError(text) => (6, text.into_bytes()),
    };
    let mut response = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        response.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    response.push((length & 0x7f) as u8);
    response.extend(content);
    response
}

fn answer(schema: &Schema, request: &Request) -> anyhow::Result<Answer> {
    let Request { wire, json, output, message, category } = request;
    // The runner begins by asking for the failures it should expect: none.
    if message == "conformance.FailureSet" {
        return Ok(Answer::Wire(Vec::new()));
    }
    let message = schema.message(message).with_context(|| format!("no message {message}"))?;
    let mut options = ReadOptions::default();
    if *category == JSON_IGNORE_UNKNOWN {
        options.unknown_fields = UnknownFields::Ignore;
    }
    let mut read = Vec::new();
    let wire = match (wire, json) {
        (_, Some(json)) if matches!(*output, PROTOBUF | JSON) => {
            if let Err(error) = json_to_wire(schema, message, json, &options, &mut read) {
                return Ok(Answer::ParseError(error.to_string()));
            }
            if *output == PROTOBUF {
                return Ok(Answer::Wire(read));
            }
            &read
        }
        (Some(wire), _) if *output == JSON => wire,
        _ => return Ok(Answer::Skipped),
    };
    let mut printed = Vec::new();
    Ok(match wire_to_json(schema, message, wire, &PrintOptions::default(), &mut printed) {
        Ok(()) => Answer::Json(printed),
        Err(error) if is_wire(error.reason()) => Answer::ParseError(error.to_string()),
        Err(error) => Answer::SerializeError(error.to_string()),
    })
}

/// Whether the wire bytes themselves are wrong, not just without JSON.
fn is_wire(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Truncated | Reason::InvalidVarint | Reason::InvalidTag | Reason::UnbalancedGroup | Reason::InvalidUtf8
    )
}
