//! gRPC: passed through as it comes, and refused with the same reasons as REST.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use serde_json::json;
use tokio::time::Instant;
use weft_call::Code;
use weft_edge_fixture::contract::{GetNoteRequest, ImportNotesResponse, Note, UpdateNoteRequest, WatchNotesRequest};

use crate::{
    house::House,
    issuer::Issuer,
    wire::{Wire, frame},
};

const GET: &str = "/fixture.notes.v1.Notes/GetNote";
const UPDATE: &str = "/fixture.notes.v1.Notes/UpdateNote";
const WATCH: &str = "/fixture.notes.v1.Notes/WatchNotes";
const IMPORT: &str = "/fixture.notes.v1.Notes/ImportNotes";
const ECHO: &str = "/fixture.notes.v1.Notes/EchoNotes";

/// Path, headers, frames; code, reason, and the field or header that is named.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [Bytes], Code, &'a str, &'a str);

fn framed(message: &impl Message) -> Bytes {
    frame(&message.encode_to_vec())
}

fn seven() -> Bytes {
    framed(&GetNoteRequest { id: "7".into() })
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_call_passes_through_on_the_port_of_rest() {
    let house = House::start().await;
    let mut wire = Wire::open(&house).await;
    let ended = wire.call(GET, &[("x-request-id", "mine-1")], &[seven()]).await;
    assert_eq!((ended.code, ended.messages.len()), (Code::Ok, 1));
    let note = Note::decode(ended.messages[0].clone()).unwrap();
    assert_eq!((note.text.as_str(), note.asked_by.as_str()), ("the note 7", "anonymous"));
    assert_eq!(ended.headers["x-request-id"], "mine-1");
    assert_eq!(house.get("/v1/notes/7").await.status, 200);
}

#[tokio::test]
async fn a_call_is_its_owners_and_carries_key_and_etag() {
    let house = House::start().await;
    let claims = Issuer::claims(house.mesh.clock().now());
    let bearer = bearer(&house.issuer.sign(&claims));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "once"), ("if-match", "\"v1\"")];
    let request = framed(&UpdateNoteRequest { note: Some(Note::default()), update_mask: None });
    let ended = Wire::open(&house).await.call(UPDATE, &headers, &[request]).await;
    let note = Note::decode(ended.messages[0].clone()).unwrap();
    assert_eq!(note.asked_by, format!("user:{}", claims["sub"].as_str().unwrap()));
    assert_eq!((note.key.as_str(), note.etag.as_str()), ("once", "\"v1\""));
}

#[tokio::test]
async fn streams_pass_both_ways_and_end_as_the_domain_ends_them() {
    let house = House::start().await;
    let (mut wire, bearer) = (Wire::open(&house).await, bearer(&house.token()));
    let headers = [("authorization", bearer.as_str())];
    let watched = wire.call(WATCH, &headers, &[framed(&WatchNotesRequest { count: 100, fail: false })]).await;
    assert_eq!((watched.code, watched.messages.len()), (Code::Ok, 100));
    let failed = wire.call(WATCH, &headers, &[framed(&WatchNotesRequest { count: 3, fail: true })]).await;
    assert_eq!((failed.code, failed.messages.len(), failed.reason()), (Code::ResourceExhausted, 3, "BUSY"));
    let notes: Vec<_> = (0..50).map(|id| framed(&Note { id: id.to_string(), ..Note::default() })).collect();
    let imported = wire.call(IMPORT, &headers, &notes).await;
    assert_eq!(ImportNotesResponse::decode(imported.messages[0].clone()).unwrap().count, 50);
}

#[tokio::test]
async fn each_message_of_a_conversation_is_answered_before_the_next_is_sent() {
    let house = House::start().await;
    let bearer = bearer(&house.token());
    let exchange = Wire::open(&house).await.start(ECHO, &[("authorization", &bearer)]);
    let requests = exchange.requests.clone();
    let mut answer = exchange.answer().await;
    for id in ["a", "b", "c"] {
        requests.send(framed(&Note { id: id.into(), ..Note::default() })).await.unwrap();
        let note = Note::decode(answer.next().await.unwrap()).unwrap();
        assert_eq!(note.id, id);
    }
    drop(requests);
    assert_eq!(answer.end().await.code, Code::Ok);
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_named() {
    let house = House::start().await;
    let mut wire = Wire::open(&house).await;
    let good = bearer(&house.token());
    let mut claims = Issuer::claims(house.mesh.clock().now());
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 60);
    let expired = bearer(&house.issuer.sign(&claims));
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 600);
    claims["roles"] = json!(["reader"]);
    let reader = bearer(&house.issuer.sign(&claims));
    let long_id = framed(&GetNoteRequest { id: "x".repeat(41) });
    let nul = framed(&GetNoteRequest { id: "\0".into() });
    let large = framed(&GetNoteRequest { id: "x".repeat(5 * 1024 * 1024) });
    let update = [framed(&UpdateNoteRequest { note: Some(Note::default()), update_mask: None })];
    let many: &[Case<'_>] = &[
        ("/fixture.notes.v1.Notes/Nothing", &[], &[seven()], Code::Unimplemented, "METHOD_UNKNOWN", ""),
        ("/nobody.v1.Nothing/Get", &[], &[seven()], Code::Unimplemented, "METHOD_UNKNOWN", ""),
        ("/fixture.notes.v1.Notes/Sweep", &[("authorization", &good)], &[frame(b"")], Code::Unimplemented, "METHOD_UNKNOWN", ""),
        (UPDATE, &[], &update, Code::Unauthenticated, "CREDENTIALS_MISSING", ""),
        (UPDATE, &[("authorization", "Bearer a.b.c")], &update, Code::Unauthenticated, "CREDENTIALS_INVALID", ""),
        (UPDATE, &[("authorization", &expired)], &update, Code::Unauthenticated, "CREDENTIALS_EXPIRED", ""),
        (UPDATE, &[("authorization", &reader)], &update, Code::PermissionDenied, "PERMISSION_MISSING", ""),
        (UPDATE, &[("authorization", &good)], &[frame(b"")], Code::InvalidArgument, "VALIDATION_FAILED", "note"),
        (GET, &[], &[frame(b"\xff\xff\xff")], Code::InvalidArgument, "MALFORMED_MESSAGE", ""),
        (GET, &[], &[frame(b"\x0a\x01\xff")], Code::InvalidArgument, "MALFORMED_MESSAGE", ""),
        (GET, &[], &[long_id], Code::InvalidArgument, "VALIDATION_FAILED", "id"),
        (GET, &[], &[nul], Code::InvalidArgument, "VALIDATION_FAILED", "id"),
        (GET, &[], &[large], Code::ResourceExhausted, "MESSAGE_TOO_LARGE", ""),
        (GET, &[], &[], Code::InvalidArgument, "MALFORMED_MESSAGE", ""),
        (GET, &[], &[seven(), seven()], Code::InvalidArgument, "MALFORMED_MESSAGE", ""),
        (GET, &[("grpc-encoding", "gzip")], &[seven()], Code::Unimplemented, "METHOD_UNKNOWN", ""),
        (GET, &[("grpc-timeout", "soon")], &[seven()], Code::InvalidArgument, "HEADER_INVALID", "grpc-timeout"),
        (GET, &[("idempotency-key", "a b")], &[seven()], Code::InvalidArgument, "HEADER_INVALID", "idempotency-key"),
    ];
    for (path, headers, frames, code, reason, what) in many {
        let ended = wire.call(path, headers, frames).await;
        let case = format!("{path} {headers:?}: {:?}", ended.error);
        assert_eq!((ended.code, ended.reason()), (*code, *reason), "{case}");
        let named = match ended.error.metadata().get("header") {
            Some(header) => header.clone(),
            None => ended.error.violations().iter().map(|v| v.field.as_str()).collect::<Vec<_>>().join(" "),
        };
        assert_eq!(named, *what, "{case}");
        assert!(ended.messages.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn what_passes_for_an_assertion_from_outside_goes_nowhere() {
    let house = House::start().await;
    let ended = Wire::open(&house).await.call(GET, &[("weft-assertion-bin", "AAAA")], &[seven()]).await;
    assert_eq!(Note::decode(ended.messages[0].clone()).unwrap().asked_by, "anonymous");
}

#[tokio::test]
async fn a_client_may_want_less_time_than_the_contract_gives_but_not_more() {
    let house = House::start().await;
    let mut wire = Wire::open(&house).await;
    for (timeout, least) in [("20m", 20), ("10S", 200)] {
        let started = Instant::now();
        let ended = wire.call("/fixture.notes.v1.Notes/Hang", &[("grpc-timeout", timeout)], &[frame(b"")]).await;
        assert_eq!((ended.code, ended.reason()), (Code::DeadlineExceeded, "DEADLINE_SPENT"));
        assert!(started.elapsed() >= Duration::from_millis(least) && started.elapsed() < Duration::from_secs(5), "{timeout}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_complete() {
    let house = House::start().await;
    let bearer = bearer(&house.token());
    let exchange = Wire::open(&house).await.start(ECHO, &[("authorization", &bearer)]);
    let requests = exchange.requests.clone();
    requests.send(framed(&Note::default())).await.unwrap();
    let mut answer = exchange.answer().await;
    assert!(answer.next().await.is_some());
    house.mesh.stop().await;
    let ended = answer.end().await;
    assert_eq!((ended.code, ended.reason()), (Code::Unavailable, "DRAINING"));
}
