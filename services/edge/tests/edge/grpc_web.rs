//! gRPC-Web: the same calls as gRPC, for clients that read no trailers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use prost::Message;
use weft_edge_fixture::contract::{GetNoteRequest, Note, WatchNotesRequest};

use crate::{house::House, wire::frame};

const GET: &str = "/fixture.notes.v1.Notes/GetNote";
const WATCH: &str = "/fixture.notes.v1.Notes/WatchNotes";
const UPDATE: &str = "/fixture.notes.v1.Notes/UpdateNote";

/// What a call was answered with.
struct Ended {
    kind: String,
    messages: Vec<Bytes>,
    /// The frame of trailers, or the headers where there is none.
    outcome: String,
}

async fn call(house: &House, path: &str, is_text: bool, message: &impl Message) -> Ended {
    let body = frame(&message.encode_to_vec());
    let (kind, body) = if is_text {
        ("application/grpc-web-text", STANDARD.encode(&body).into_bytes())
    } else {
        ("application/grpc-web+proto", body.to_vec())
    };
    let response = house.request("POST", path).header("content-type", kind).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let mut outcome = response
        .headers()
        .get("grpc-status")
        .map_or(String::new(), |status| format!("grpc-status: {}", status.to_str().unwrap()));
    let mut body = response.bytes().await.unwrap();
    if is_text {
        // Every piece is padded by itself.
        let pieces = body.chunks(4).map(|four| STANDARD.decode(four).unwrap());
        body = pieces.flatten().collect::<Vec<u8>>().into();
    }
    let mut messages = Vec::new();
    while body.has_remaining() {
        let (flags, length) = (body.get_u8(), body.get_u32() as usize);
        let content = body.split_to(length);
        match flags {
            0 => messages.push(content),
            0x80 => outcome = String::from_utf8(content.to_vec()).unwrap(),
            other => panic!("flags {other}"),
        }
    }
    Ended { kind, messages, outcome }
}

#[tokio::test]
async fn a_call_ends_with_its_trailers_in_the_body() {
    let house = House::start().await;
    for is_text in [false, true] {
        let ended = call(&house, GET, is_text, &GetNoteRequest { id: "7".into() }).await;
        let text = if is_text { "application/grpc-web-text+proto" } else { "application/grpc-web+proto" };
        assert_eq!((ended.kind.as_str(), ended.messages.len()), (text, 1));
        assert_eq!(Note::decode(ended.messages[0].clone()).unwrap().text, "the note 7");
        assert!(ended.outcome.contains("grpc-status: 0\r\n"), "{}", ended.outcome);
        let watched = call(&house, WATCH, is_text, &WatchNotesRequest { count: 50, fail: false }).await;
        assert_eq!(watched.messages.len(), 50);
        assert!(
            watched.outcome.contains("grpc-status: 0\r\n") && watched.outcome.contains("x-count: 50\r\n"),
            "{}",
            watched.outcome
        );
        let failed = call(&house, WATCH, is_text, &WatchNotesRequest { count: 2, fail: true }).await;
        assert_eq!(failed.messages.len(), 2);
        assert!(
            failed.outcome.contains("grpc-status: 8\r\n") && failed.outcome.contains("grpc-status-details-bin"),
            "{}",
            failed.outcome
        );
        let refused = call(&house, UPDATE, is_text, &Note::default()).await;
        assert_eq!((refused.messages.len(), refused.outcome.as_str()), (0, "grpc-status: 16"));
        let unknown = call(&house, "/fixture.notes.v1.Notes/Sweep", is_text, &Note::default()).await;
        assert_eq!(unknown.outcome, "grpc-status: 12");
    }
    let got = house.request("GET", GET).header("content-type", "application/grpc-web").send().await.unwrap();
    assert_eq!(got.status(), 405);
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_ask_before_it_calls() {
    let house = House::with(|edge| edge.settings.cors_origins = vec!["https://shop.example".into()]).await;
    let preflight = house.request("OPTIONS", GET).header("origin", "https://shop.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET, HEAD, OPTIONS, POST");
}
