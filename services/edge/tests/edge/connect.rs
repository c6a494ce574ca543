//! Connect: the same calls as plain HTTP, in both codecs.

use std::io::{Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use serde_json::{Value, json};
use weft_edge_fixture::contract::{GetNoteRequest, Note, WatchNotesRequest};

use crate::house::{House, told};

const GET: &str = "/fixture.notes.v1.Notes/GetNote";
const CREATE: &str = "/fixture.notes.v1.Notes/CreateNote";
const FAIL: &str = "/fixture.notes.v1.Notes/Fail";
const HANG: &str = "/fixture.notes.v1.Notes/Hang";
const WATCH: &str = "/fixture.notes.v1.Notes/WatchNotes";
const ECHO: &str = "/fixture.notes.v1.Notes/EchoNotes";

fn framed(flags: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flags);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

/// What a stream was answered with: its messages, with their flags, and its end.
async fn stream(house: &House, path: &str, headers: &[(&str, &str)], body: Bytes) -> (Vec<(u8, Bytes)>, Value) {
    let mut request = house.request("POST", path).bearer_auth(house.token()).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = headers.iter().find(|(name, _)| *name == "content-type").map(|(_, kind)| *kind);
    assert_eq!(response.headers()["content-type"].to_str().ok(), kind);
    let mut body = response.bytes().await.unwrap();
    let mut messages = Vec::new();
    while body.has_remaining() {
        let (flags, length) = (body.get_u8(), body.get_u32() as usize);
        let message = body.split_to(length);
        if flags & 2 != 0 {
            assert!(!body.has_remaining(), "nothing follows the end");
            return (messages, serde_json::from_slice(&message).unwrap());
        }
        messages.push((flags, message));
    }
    panic!("the stream has no end");
}

#[tokio::test]
async fn a_unary_call_is_a_post_in_either_codec() {
    let house = House::start().await;
    let answered = told(house.request("POST", GET).header("content-type", "application/json").body("{\"id\":\"7\"}")).await;
    assert_eq!((answered.status, answered.header("content-type")), (200, "application/json"));
    assert_eq!(answered.json()["text"], "the note 7");
    let body = GetNoteRequest { id: "7".into() }.encode_to_vec();
    let request = house.request("POST", GET).header("content-type", "application/proto").body(body.clone());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/proto");
    assert_eq!(Note::decode(response.bytes().await.unwrap()).unwrap().text, "the note 7");
    let packed = house.request("POST", GET).header("content-type", "application/proto").header("content-encoding", "gzip");
    let response = packed.body(gzip(&body)).send().await.unwrap();
    assert_eq!(Note::decode(response.bytes().await.unwrap()).unwrap().text, "the note 7");
}

#[tokio::test]
async fn a_call_that_only_reads_is_a_get_too() {
    let house = House::start().await;
    let base64 = STANDARD_NO_PAD.encode(GetNoteRequest { id: "7".into() }.encode_to_vec());
    let answered = house.get(&format!("{GET}?connect=v1&encoding=json&message=%7B%22id%22%3A%227%22%7D")).await;
    assert_eq!(answered.json()["text"], "the note 7");
    let answered = house.get(&format!("{GET}?encoding=proto&base64=1&message={base64}")).await;
    assert_eq!((answered.status, answered.header("content-type")), (200, "application/proto"));
    let refused = house.get(&format!("{GET}?encoding=json")).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("invalid_argument")));
    let refused = house.get(&format!("{CREATE}?encoding=json&message=%7B%7D")).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "OPTIONS, POST"));
}

#[tokio::test]
async fn a_failure_has_its_code_and_its_details_as_bytes() {
    let house = House::start().await;
    let post = |path: &str, body: &'static str| house.request("POST", path).header("content-type", "application/json").body(body);
    let failed = told(post(FAIL, "{\"failure\":\"FAILURE_BUSY\"}")).await;
    assert_eq!((failed.status, failed.header("content-type"), failed.header("retry-after")), (429, "application/json", "2"));
    let body = failed.json();
    assert_eq!((body["code"].as_str(), body["message"].as_str()), (Some("resource_exhausted"), Some("too many notes")));
    let types: Vec<_> = body["details"].as_array().unwrap().iter().map(|detail| detail["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["google.rpc.ErrorInfo", "google.rpc.RetryInfo", "google.rpc.Help", "google.rpc.RequestInfo"]);
    let unreadable = told(post(GET, "{\"id\":")).await;
    assert_eq!((unreadable.status, unreadable.json()["code"].as_str()), (400, Some("invalid_argument")));
    let hanging = told(post(HANG, "{}").header("connect-timeout-ms", "50")).await;
    assert_eq!((hanging.status, hanging.json()["code"].as_str()), (504, Some("deadline_exceeded")));
    let missing = told(post(CREATE, "{}")).await;
    assert_eq!((missing.status, missing.json()["code"].as_str()), (401, Some("unauthenticated")));
    let version = told(post(GET, "{}").header("connect-protocol-version", "2")).await;
    assert_eq!((version.status, version.json()["code"].as_str()), (400, Some("invalid_argument")));
    let foreign = told(house.request("POST", GET).header("content-type", "text/plain").body("x")).await;
    assert_eq!((foreign.status, foreign.header("accept-post")), (415, "application/json, application/proto"));
    let snappy = told(post(GET, "{}").header("content-encoding", "snappy")).await;
    assert_eq!((snappy.status, snappy.json()["code"].as_str()), (501, Some("unimplemented")));
}

#[tokio::test]
async fn a_stream_ends_with_a_frame_that_says_how() {
    let house = House::start().await;
    let json = [("content-type", "application/connect+json")];
    let (messages, end) = stream(&house, WATCH, &json, framed(0, b"{\"count\":3}")).await;
    let ids: Vec<_> = messages.iter().map(|(_, text)| serde_json::from_slice::<Value>(text).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["0", "1", "2"]);
    assert_eq!(end, json!({"metadata": {"x-count": ["3"]}}));
    let request = framed(0, &WatchNotesRequest { count: 2, fail: true }.encode_to_vec());
    let (messages, end) = stream(&house, WATCH, &[("content-type", "application/connect+proto")], request).await;
    assert_eq!((messages.len(), end["error"]["code"].as_str()), (2, Some("resource_exhausted")));
    assert_eq!(end["error"]["details"][0]["type"], "google.rpc.ErrorInfo");
}

#[tokio::test]
async fn framed_messages_may_be_packed_both_ways() {
    let house = House::start().await;
    let text = "é".repeat(100);
    let note = json!({"id": "1", "text": text}).to_string();
    let requests = [framed(1, &gzip(note.as_bytes())), framed(0, b"{\"id\":\"2\"}")].concat();
    let headers =
        [("content-type", "application/connect+json"), ("connect-content-encoding", "gzip"), ("connect-accept-encoding", "gzip")];
    let (messages, end) = stream(&house, ECHO, &headers, requests.into()).await;
    assert_eq!(end, json!({}));
    assert_eq!(messages.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [1, 0], "small ones are not packed");
    let first: Value = serde_json::from_slice(&gunzip(&messages[0].1)).unwrap();
    assert_eq!(first["text"].as_str(), Some(text.as_str()));
}

#[tokio::test]
async fn requests_that_cannot_be_used_are_why_the_stream_fails() {
    let house = House::start().await;
    let json = [("content-type", "application/connect+json")];
    let bomb = gzip(&vec![b' '; 10 * 1024 * 1024]);
    let packed = [("content-type", "application/connect+json"), ("connect-content-encoding", "gzip")];
    for (headers, body, code) in [
        (&json[..], framed(0, b"{\"nonsense\":1}"), "invalid_argument"),
        (&json, framed(0, b"{}").slice(..6), "invalid_argument"),
        (&json, framed(4, b"{}"), "invalid_argument"),
        (&json, framed(1, b"{}"), "internal"),
        (&json, Bytes::from_static(b"\0\xff\xff\xff\xff"), "resource_exhausted"),
        (&packed, framed(1, &bomb), "resource_exhausted"),
    ] {
        let (messages, end) = stream(&house, ECHO, headers, body).await;
        assert_eq!((messages.len(), end["error"]["code"].as_str()), (0, Some(code)), "{end}");
    }
    let unknown = [("content-type", "application/connect+json"), ("connect-content-encoding", "snappy")];
    let (_, end) = stream(&house, ECHO, &unknown, framed(0, b"{}")).await;
    assert_eq!(end["error"]["code"], "unimplemented");
}
