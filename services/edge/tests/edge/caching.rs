//! What clients and caches have already, parts of what is long, bodies that are packed, and pages of other origins.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::house::{House, Told, told};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_answer_that_the_contract_lets_be_kept_is_not_sent_twice() {
    let house = House::start().await;
    let first = house.get("/v1/motto").await;
    assert_eq!((first.status, first.header("cache-control")), (200, "public, max-age=60"));
    let etag = first.header("etag").to_owned();
    let again = told(house.request("GET", "/v1/motto").header("if-none-match", &etag)).await;
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", etag.as_str()));
    assert_eq!(again.header("cache-control"), "public, max-age=60");
    let other = told(house.request("GET", "/v1/motto").header("if-none-match", "\"other\"")).await;
    assert_eq!((other.status, other.text), (200, first.text));
    assert_eq!(house.get("/v1/notes/7").await.header("etag"), "", "nothing is kept that no contract lets be");
}

#[tokio::test]
async fn a_part_of_a_file_is_given_if_it_is_the_file_that_the_client_means() {
    let house = House::start().await;
    let ask = async |headers: &[(&str, &str)]| -> Told {
        let request = house.request("GET", "/v1/files:download?size=200000");
        told(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    };
    let whole = ask(&[]).await;
    assert_eq!((whole.status, whole.header("content-length"), whole.header("accept-ranges")), (200, "200000", "bytes"));
    assert_eq!(whole.text.len(), 200_000);
    for (range, status, told_range, length) in [
        ("bytes=0-9", 206, "bytes 0-9/200000", 10),
        ("bytes=65530-65549", 206, "bytes 65530-65549/200000", 20),
        ("bytes=-5", 206, "bytes 199995-199999/200000", 5),
        ("bytes=199990-", 206, "bytes 199990-199999/200000", 10),
        ("bytes=0-1,5-6", 200, "", 200_000),
    ] {
        let part = ask(&[("range", range)]).await;
        assert_eq!((part.status, part.header("content-range"), part.text.len()), (status, told_range, length), "{range}");
    }
    let beyond = ask(&[("range", "bytes=200000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */200000"));
    assert_eq!(beyond.json()["status"], "OUT_OF_RANGE");
    let etag = whole.header("etag");
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", etag)]).await.status, 206);
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", "\"older\"")]).await.status, 200);
    let known = ask(&[("if-none-match", etag)]).await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
}

#[tokio::test]
async fn bodies_are_packed_both_ways_and_bombs_are_put_out() {
    let house = House::start().await;
    let token = house.token();
    let text = "x".repeat(90);
    let note = gzip(json!({"text": text}).to_string().as_bytes());
    let create = |body: Vec<u8>, encoding: &str| {
        house.request("POST", "/v1/notes").bearer_auth(&token).header("content-encoding", encoding).body(body)
    };
    assert_eq!(told(create(note.clone(), "gzip")).await.json()["text"], text);
    let bomb = gzip(&vec![b' '; 50 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let refused = told(create(bomb, "gzip")).await;
    assert_eq!((refused.status, refused.reason().as_str()), (413, "MESSAGE_TOO_LARGE"));
    let broken = told(create(note[..20].to_vec(), "gzip")).await;
    assert_eq!((broken.status, broken.fields().as_str()), (400, "body"));
    let unknown = told(create(note, "compress")).await;
    assert_eq!((unknown.status, unknown.header("accept-encoding")), (415, "gzip, br, zstd, identity"));
    let kinds = "kinds=1&".repeat(100);
    for encoding in ["gzip", "br", "zstd"] {
        let list = house.request("GET", &format!("/v1/notes?{kinds}")).bearer_auth(&token);
        let packed = list.header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], encoding);
        assert_eq!(packed.headers()["vary"], "accept-encoding");
        assert!(packed.bytes().await.unwrap().len() < 1000, "{encoding}");
    }
    let small = told(house.request("GET", "/v1/notes/7").header("accept-encoding", "gzip")).await;
    assert_eq!(small.header("content-encoding"), "");
}

#[tokio::test]
async fn only_pages_of_named_origins_may_read_answers() {
    let house = House::with(|edge| edge.settings.cors_origins = vec!["https://shop.example".into()]).await;
    let asked = async |method: &str, path: &str, origin: &str| {
        let request = house.request(method, path).header("origin", origin).header("access-control-request-method", "PATCH");
        told(request.header("access-control-request-headers", "authorization, x-own")).await
    };
    let preflight = asked("OPTIONS", "/v1/notes/7", "https://shop.example").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "https://shop.example"));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS, PATCH");
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization, x-own");
    for path in ["/v1/notes/7", "/v1/nothing"] {
        let answer = asked("GET", path, "https://shop.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example", "errors are read too");
        let stranger = asked("GET", path, "https://other.example").await;
        assert_eq!((stranger.header("access-control-allow-origin"), stranger.header("vary")), ("", "origin"));
    }
    let stranger = asked("OPTIONS", "/v1/notes/7", "https://other.example").await;
    assert_eq!((stranger.status, stranger.header("access-control-allow-methods")), (204, ""));
    assert_eq!(stranger.header("allow"), "GET, HEAD, OPTIONS, PATCH");
    assert_eq!(asked("OPTIONS", "/v1/nothing", "https://shop.example").await.status, 404);
    let closed = House::start().await;
    let answer = told(closed.request("GET", "/v1/notes/7").header("origin", "https://shop.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "", "by default none is named");
}

#[tokio::test]
async fn a_client_may_prefer_to_wait_less() {
    let house = House::start().await;
    let started = tokio::time::Instant::now();
    let late = told(house.request("GET", "/v1/notes:follow?size=1").header("prefer", "respond-async, wait=1")).await;
    assert!(late.text.contains("DEADLINE_SPENT"), "{}", &late.text[late.text.len().saturating_sub(300)..]);
    assert!(started.elapsed().as_secs() < 5);
}
