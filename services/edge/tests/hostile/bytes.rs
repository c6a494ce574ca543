//! Requests that two readers could read differently, and paths that are more than they seem: byte by byte.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What must not be answered as a request of its own.
const SMUGGLED: &str = "GET /v1/notes/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

/// Everything that is answered to these bytes, until the edge closes the connection.
pub(crate) async fn said(edge: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(edge).await.unwrap();
    let mut answer = Vec::new();
    // Who is cut off cannot write to the end, and has been answered all the same.
    let _ = stream.write_all(bytes).await;
    // A connection that is reset is closed as well.
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the connection is closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<u16> {
    answer.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

#[tokio::test]
async fn no_request_is_hidden_in_another() {
    let (_mesh, edge) = crate::door(Duration::from_millis(500)).await;
    let long = format!("{:x}", SMUGGLED.len());
    let chunked = "2\r\n{}\r\n0\r\n\r\n";
    for (what, fields, body) in [
        ("CL.TE", "content-length: 6\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n".to_owned()),
        ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 4\r\n", chunked.to_owned()),
        ("two encodings", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", chunked.to_owned()),
        ("chunked is not last", "transfer-encoding: chunked, gzip\r\n", chunked.to_owned()),
        ("an encoding that is none", "transfer-encoding: xchunked\r\ncontent-length: 2\r\n", "{}".to_owned()),
        ("a tab before the encoding", "transfer-encoding:\tchunked\r\ncontent-length: 2\r\n", chunked.to_owned()),
        ("two lengths", "content-length: 2\r\ncontent-length: 44\r\n", "{}".to_owned()),
        ("two lengths in one field", "content-length: 2, 44\r\n", "{}".to_owned()),
        ("a signed length", "content-length: +2\r\n", "{}".to_owned()),
        ("a negative length", "content-length: -2\r\n", "{}".to_owned()),
        ("a length in base 16", "content-length: 0x2\r\n", "{}".to_owned()),
        ("a length beyond 64 bits", "content-length: 18446744073709551618\r\n", "{}".to_owned()),
        ("a folded field", "x-a: b\r\n content-length: 2\r\n", "{}".to_owned()),
        ("a space before the colon", "content-length : 2\r\n", "{}".to_owned()),
        ("a bare CR", "x-a: b\rcontent-length: 2\r\n", "{}".to_owned()),
        ("a NUL", "x-a: b\0\r\ncontent-length: 2\r\n", "{}".to_owned()),
        ("a chunk beyond 64 bits", "transfer-encoding: chunked\r\n", "10000000000000002\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a chunk of negative size", "transfer-encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a line in a chunk's extension", "transfer-encoding: chunked\r\n", format!("2;\n{long}\r\n{{}}\r\n0\r\n\r\n")),
        ("a chunk without its end", "transfer-encoding: chunked\r\n", "2\r\n{}0\r\n\r\n".to_owned()),
    ] {
        let request = format!("POST /v1/notes:fail HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{fields}\r\n{body}");
        let answer = said(edge.local_addr, (request + SMUGGLED).as_bytes()).await;
        assert!(!answer.contains("smuggled"), "{what}: {answer}");
        assert!(statuses(&answer).len() <= 1, "{what}: {answer}");
    }
    // What ends its lines by LF alone is one request with one body, for whoever reads it.
    let lenient = "GET /v1/notes/7 HTTP/1.1\nhost: x\nconnection: close\n\n".to_owned() + SMUGGLED;
    let answer = said(edge.local_addr, lenient.as_bytes()).await;
    assert!(!answer.contains("smuggled") && statuses(&answer).len() <= 1, "{answer}");
}

#[tokio::test]
async fn a_path_is_what_it_says_and_nothing_else() {
    let (_mesh, edge) = crate::door(Duration::from_millis(500)).await;
    // A status alone, or the id that the method is given.
    for (path, status, id) in [
        ("/v1/notes/7", 200, Some("7")),
        ("/v1/notes/%37", 200, Some("7")),
        ("/v1/notes/%2e%2e", 200, Some("..")),
        ("/v1/notes/a%2fb", 200, Some("a/b")),
        ("/v1/notes/%252e%252e", 200, Some("%2e%2e")),
        ("/v1/notes/%252f", 200, Some("%2f")),
        ("/v1/notes/a%00b", 400, None),
        ("/v1/notes/..", 200, Some("..")),
        ("/v1/notes/7/../8", 404, None),
        ("/v1/notes/%2e%2e/notes/7", 404, None),
        ("/v1/%6eotes/7", 404, None),
        ("//v1/notes/7", 404, None),
        ("/v1//notes/7", 404, None),
        ("/v1/notes/7/", 404, None),
        ("/v1/./notes/7", 404, None),
        ("/V1/notes/7", 404, None),
        ("/v1\\notes\\7", 404, None),
        ("/v1/notes/%c0%ae%c0%ae", 400, None),
        ("/v1/notes/%c0%af", 400, None),
        ("/v1/notes/%e0%80%af", 400, None),
        ("/v1/notes/%ed%a0%80", 400, None),
        ("/v1/notes/%ff", 400, None),
        ("/v1/notes/%", 400, None),
        ("/v1/notes/%zz", 400, None),
        ("/v1/notes/%4", 400, None),
        ("*", 404, None),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = said(edge.local_addr, request.as_bytes()).await;
        assert_eq!(statuses(&answer), [status], "{path}: {answer}");
        if let Some(id) = id {
            assert!(answer.contains(&format!("\"id\":\"{id}\"")), "{path}: {answer}");
        }
    }
}
