//! Streams as REST: in the form that the client asks for, as they come, and never whole when they are not.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    flow::{self, Version, begin, get},
    house::{House, told},
};

const ARRAY: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";
const BOTH: [Version; 2] = [Version::One, Version::Two];

/// The ids of the notes in lines or events.
fn ids(text: &str) -> Vec<String> {
    let values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim_start_matches("data: ")).ok());
    values.filter_map(|note| note["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_stream_comes_in_the_form_that_is_asked_for() {
    let house = House::start().await;
    for version in BOTH {
        for (accept, kind, begins, ends) in [
            ("", ARRAY, "[{", "}]"),
            (ARRAY, ARRAY, "[{", "}]"),
            (LINES, LINES, "{", "}\n"),
            (EVENTS, EVENTS, "data: {", "}\n\ndata: [DONE]\n\n"),
        ] {
            let mut answer = get(&house, version, "/v1/notes:watch?count=3", accept).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, kind));
            let (text, whole) = answer.all().await;
            assert!(whole && text.starts_with(begins) && text.ends_with(ends), "{accept}: {text}");
            match kind {
                ARRAY => assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[2]["id"], "2"),
                _ => assert_eq!(ids(&text), ["0", "1", "2"]),
            }
            let trailer = answer.trailers.get("x-count").map(|count| count.to_str().unwrap().to_owned());
            assert_eq!(trailer.as_deref(), (version == Version::Two).then_some("3"), "HTTP/2 has trailers");
        }
    }
    for (accept, empty) in [(ARRAY, "[]"), (LINES, ""), (EVENTS, "data: [DONE]\n\n")] {
        assert_eq!(get(&house, Version::One, "/v1/notes:watch", accept).await.all().await, (empty.to_owned(), true));
    }
}

#[tokio::test]
async fn a_failure_after_the_first_message_shows_in_every_form() {
    let house = House::start().await;
    for version in BOTH {
        let failing = async |accept| get(&house, version, "/v1/notes:watch?count=2&fail=true", accept).await.all().await;
        let (text, whole) = failing(ARRAY).await;
        assert!(!whole, "{text}");
        assert!(text.starts_with("[{") && text.ends_with('}'), "{text}");
        let (text, whole) = failing(LINES).await;
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((last["@type"].as_str(), &last["code"]), (Some("type.googleapis.com/google.rpc.Status"), &json!(8)));
        assert_eq!(last["details"][0]["reason"], "BUSY");
        assert!(whole && text.lines().count() == 3, "{text}");
        let (text, whole) = failing(EVENTS).await;
        let (_, error) = text.split_once("event: error\ndata: ").unwrap();
        let error: Value = serde_json::from_str(error.trim_end()).unwrap();
        assert_eq!(error["details"][0]["reason"], "BUSY");
        assert!(whole && !text.contains("[DONE]"), "{text}");
    }
}

#[tokio::test]
async fn a_failure_before_the_first_message_has_its_own_status_in_every_form() {
    let house = House::start().await;
    for accept in [ARRAY, LINES, EVENTS] {
        let answer = told(house.request("GET", "/v1/notes:watch?fail=true").header("accept", accept)).await;
        assert_eq!((answer.status, answer.reason().as_str(), answer.header("content-type")), (429, "BUSY", ARRAY));
        let refused = told(house.request("GET", "/v1/notes:watch?count=x").header("accept", accept)).await;
        assert_eq!((refused.status, refused.fields().as_str()), (400, "count"));
    }
}

#[tokio::test]
async fn messages_leave_as_they_come_and_a_client_that_leaves_ends_the_call() {
    let house = House::start().await;
    let followers = |text: &str| serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap()["followers"].clone();
    for version in BOTH {
        let mut first = get(&house, version, "/v1/notes:follow", "").await;
        assert_eq!(first.header("content-type"), LINES, "as the contract has it");
        for _ in 0..3 {
            first.text().await;
        }
        let mut watcher = get(&house, version, "/v1/notes:follow", "").await;
        assert_eq!(followers(&watcher.text().await), 2);
        drop(first);
        let left = Instant::now();
        while followers(&watcher.text().await) != 1 {
            assert!(left.elapsed() < Duration::from_secs(1), "the call goes on without its client");
        }
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_domain_down() {
    let house = House::start().await;
    for version in BOTH {
        let slow = get(&house, version, "/v1/notes:follow?size=10000&fast=true", "").await;
        let mut watcher = get(&house, version, "/v1/notes:follow", "").await;
        let written = async |watcher: &mut flow::Answer| {
            let text = watcher.text().await;
            let note: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            note["written"].as_str().unwrap().parse::<u64>().unwrap()
        };
        // What stands between the two fills up, and then nothing moves.
        let mut last = written(&mut watcher).await;
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            for _ in 0..10 {
                written(&mut watcher).await;
            }
            let now = written(&mut watcher).await;
            assert!(now < 10_000, "{now} notes of 10 kB were written for a client that reads none");
            if now - last < 100 {
                break;
            }
            assert!(Instant::now() < end, "the domain never stops writing");
            last = now;
        }
        drop(slow);
    }
}

#[tokio::test]
async fn a_request_may_stream_as_an_array_or_in_lines() {
    let house = House::start().await;
    let token = house.token();
    let many = (0..1000).map(|id| format!("{{\"id\": \"{id}\"}}\n")).collect::<Vec<_>>().concat();
    for (kind, body, count) in [
        (LINES, "", "0"),
        (LINES, "{\"id\": \"1\"}\n{\"id\": \"2\"}", "2"),
        (ARRAY, "[{\"id\": \"1\"}, {}, {\"text\": \"x\"}]", "3"),
        (LINES, many.as_str(), "1000"),
    ] {
        let import = house.request("POST", "/v1/notes:import").bearer_auth(&token).header("content-type", kind);
        let answer = told(import.body(body.to_owned())).await;
        assert_eq!((answer.status, answer.json()["count"].as_str().unwrap_or("0")), (200, count), "{answer:?}");
    }
    for (kind, body, status, field) in [
        (LINES, "{}\n{\"nope\": 1}", 400, "nope"),
        (LINES, "{}\n{\"text\": 5}\n", 400, "text"),
        (ARRAY, "[{}", 400, "body"),
        (LINES, "{}\n{", 400, "body"),
        ("text/plain", "{}", 415, ""),
    ] {
        let import = house.request("POST", "/v1/notes:import").bearer_auth(&token).header("content-type", kind);
        let answer = told(import.body(body.to_owned())).await;
        assert_eq!((answer.status, answer.fields().as_str()), (status, field), "{answer:?}");
    }
    let stranger = told(house.request("POST", "/v1/notes:import").body("{}")).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn each_message_of_a_conversation_in_lines_is_answered_before_the_next_is_sent() {
    let house = House::start().await;
    let bearer = format!("Bearer {}", house.token());
    for version in BOTH {
        let request = Request::post(house.url("/v1/notes:echo")).header("host", "edge");
        let request = request.header("authorization", &bearer).header("content-type", LINES);
        let mut flow = begin(&house, version, request).await;
        flow.send("{\"id\": \"a\"}\n").await;
        let pieces = flow.pieces.take().unwrap();
        let mut answer = flow.answer().await;
        assert_eq!(ids(&answer.text().await), ["a"]);
        for id in ["b", "c"] {
            pieces.send(format!("{{\"id\": \"{id}\"}}\n").into()).await.unwrap();
            assert_eq!(ids(&answer.text().await), [id]);
        }
        drop(pieces);
        assert_eq!(answer.all().await, (String::new(), true));
    }
}

#[tokio::test]
async fn what_is_wrong_amid_a_conversation_ends_it_with_the_field() {
    let house = House::start().await;
    let request = Request::post(house.url("/v1/notes:echo")).header("host", "edge");
    let request = request.header("authorization", format!("Bearer {}", house.token())).header("content-type", LINES);
    let mut flow = begin(&house, Version::Two, request).await;
    flow.send("{\"id\": \"a\"}\n").await;
    let pieces = flow.pieces.take().unwrap();
    let mut answer = flow.answer().await;
    assert_eq!(ids(&answer.text().await), ["a"]);
    pieces.send("{\"nope\": 1}\n".into()).await.unwrap();
    let (text, _) = answer.all().await;
    let error: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&error["code"], &error["details"][1]["fieldViolations"][0]["field"]), (&json!(3), &json!("nope")), "{text}");
}

#[tokio::test]
async fn bytes_of_any_type_pass_as_they_are() {
    let house = House::start().await;
    let page = told(house.request("PUT", "/v1/pages").header("content-type", "text/html").body("<p>\u{e4}")).await;
    assert_eq!((page.status, page.header("content-type"), page.text.as_str()), (200, "text/html", "<p>\u{e4}"));
    let size = 20_000_000;
    for version in BOTH {
        let mut answer = get(&house, version, &format!("/v1/files:download?size={size}"), "").await;
        assert_eq!(answer.header("content-type"), "text/plain");
        let (text, whole) = answer.all().await;
        assert!(whole && text.len() == size && text.bytes().all(|byte| byte == b'a'));
        let (text, whole) = get(&house, version, "/v1/files:download?size=100000&fail=true", "").await.all().await;
        assert!(!whole && text.len() == 100_000, "a file that is cut does not look whole");
    }
    let upload = house.request("POST", "/v1/files:upload").header("content-type", "video/mp4").body(vec![7; size]);
    assert_eq!(told(upload).await.json(), json!({"size": size.to_string(), "contentType": "video/mp4"}));
}
