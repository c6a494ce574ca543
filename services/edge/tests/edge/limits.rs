//! What strangers may use up, and how the edge ends.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::house::{House, told};

/// Everything that the edge says to these bytes, until it closes the connection.
async fn said(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    // A connection that is reset is closed as well.
    let _ = read.expect("the connection is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_header_is_cut_off() {
    let house = House::with(|edge| {
        edge.settings.header_timeout = Duration::from_millis(200);
        edge.settings.idle_timeout = Duration::from_millis(400);
    })
    .await;
    for bytes in [
        b"".as_slice(),
        b"G",
        b"PRI * HTTP",
        b"GET /v1/notes/7 HTTP/1.1\r\nhost: x",
        b"GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = said(&house, bytes).await;
        let finished = bytes.ends_with(b"\r\n\r\n");
        assert_eq!(answer.starts_with("HTTP/1.1 200"), finished, "{answer:?}");
    }
}

#[tokio::test]
async fn headers_beyond_their_limit_are_refused() {
    let house = House::start().await;
    let large = |bytes: usize| format!("x-large: {}\r\n", "x".repeat(bytes));
    let many = |fields: usize| "x-many: 1\r\n".repeat(fields);
    // A little too much is refused with a reason, and far too much by the parser alone.
    for (fields, reason) in [(large(64 * 1024), true), (many(64), true), (large(200 * 1024), false), (many(500), false)] {
        let request = format!("GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
        let answer = said(&house, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(answer.contains("MESSAGE_TOO_LARGE"), reason, "{answer}");
    }
    let fits = format!("GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n", many(62));
    assert!(said(&house, fits.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_url_beyond_its_limit_is_refused() {
    let house = House::with(|edge| edge.settings.max_url = 256).await;
    let path = |bytes: usize| format!("/v1/notes/7?q={}", "x".repeat(bytes - 14));
    let answer = house.get(&path(257)).await;
    assert_eq!((answer.status, answer.reason().as_str()), (414, "MESSAGE_TOO_LARGE"));
    assert_eq!(house.get(&path(256)).await.fields(), "q", "it was read");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let house = House::start().await;
    for (fields, status) in
        [("", "400"), ("host: a\r\nhost: b\r\n", "400"), ("host: a\r\nhost: a\r\n", "400"), ("host: a\r\n", "200")]
    {
        let request = format!("GET /v1/notes/7 HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
        let answer = said(&house, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{fields:?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_claims_to_be_too_large_is_refused_before_it_comes() {
    let house = House::with(|edge| edge.settings.max_body = 1024).await;
    let token = house.token();
    let head = format!(
        "POST /v1/notes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 1025\r\nconnection: close\r\n\r\n"
    );
    let answer = said(&house, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let just = told(house.request("POST", "/v1/notes").bearer_auth(&token).body(" ".repeat(1022) + "{}")).await;
    assert_eq!(just.status, 201);
}

#[tokio::test]
async fn a_body_that_never_ends_is_ended_by_the_deadline() {
    let house = House::start().await;
    let head =
        "POST /v1/notes:fail HTTP/1.1\r\nhost: x\r\ngrpc-timeout: 100m\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{";
    let answer = said(&house, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}

#[tokio::test]
async fn requests_under_way_are_finished_when_the_edge_stops_and_no_new_ones_are_taken() {
    let house = House::start().await;
    assert_eq!(house.get("/v1/notes/7").await.status, 200);
    let address = house.edge.local_addr;
    let request = tokio::spawn(house.request("GET", "/v1/notes:hang").send());
    // The domain has begun with it once the mesh counts a call, which it does at its end; so the request
    // is given a part of its 200 ms.
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.edge.shutdown().await;
    assert_eq!(request.await.unwrap().unwrap().status(), 504);
    assert!(TcpStream::connect(address).await.is_err());
}
