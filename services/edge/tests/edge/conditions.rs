//! Conditions and statuses: what clients are told of what went wrong. The table is that of docs/edge.md.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    house::{House, Told, told},
    issuer::Issuer,
};

/// What went wrong, the HTTP status, the code, and the reason; no reason where HTTP alone knows the condition.
type Row = (&'static str, u16, &'static str, &'static str);

const TABLE: &[Row] = &[
    ("no such path", 404, "NOT_FOUND", "ROUTE_UNKNOWN"),
    ("a path that is not UTF-8", 400, "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
    ("a method that the path is not served for", 405, "UNIMPLEMENTED", "METHOD_UNKNOWN"),
    ("a method of the mesh's own", 404, "NOT_FOUND", "ROUTE_UNKNOWN"),
    ("path and query beyond the limit", 414, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"),
    ("too many header fields", 431, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"),
    ("a header that cannot be read", 400, "INVALID_ARGUMENT", "HEADER_INVALID"),
    ("two hosts", 400, "INVALID_ARGUMENT", "HEADER_INVALID"),
    ("a body of another type", 415, "INVALID_ARGUMENT", "HEADER_INVALID"),
    ("a body packed in an unknown way", 415, "INVALID_ARGUMENT", "HEADER_INVALID"),
    ("a body beyond the limit", 413, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"),
    ("a body that is no JSON", 400, "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
    ("a field that there is not", 400, "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
    ("a parameter that there is not", 400, "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
    ("no credentials", 401, "UNAUTHENTICATED", "CREDENTIALS_MISSING"),
    ("forged credentials", 401, "UNAUTHENTICATED", "CREDENTIALS_INVALID"),
    ("expired credentials", 401, "UNAUTHENTICATED", "CREDENTIALS_EXPIRED"),
    ("a permission that the caller lacks", 403, "PERMISSION_DENIED", "PERMISSION_MISSING"),
    ("a limit that is used up", 429, "RESOURCE_EXHAUSTED", "RATE_LIMITED"),
    ("a WebSocket of another version", 426, "INVALID_ARGUMENT", "HEADER_INVALID"),
    ("a WebSocket of a page of another origin", 403, "PERMISSION_DENIED", ""),
    ("a domain that panics", 500, "INTERNAL", "INTERNAL"),
    ("a broken invariant", 500, "INTERNAL", "INTERNAL"),
    ("a reason of the domain's own", 429, "RESOURCE_EXHAUSTED", "BUSY"),
    ("a deadline that is over", 504, "DEADLINE_EXCEEDED", "DEADLINE_SPENT"),
    ("a domain that cannot be reached", 503, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
];

/// Brings a condition about.
async fn condition(house: &House, what: &str) -> Told {
    let get = |path: &str| house.request("GET", path);
    let post = |path: &str| house.request("POST", path);
    let fail = |body: &Value| post("/v1/notes:fail").json(body);
    let raw = |kind: &str, body: String| post("/v1/notes:fail").header("content-type", kind).body(body);
    let upgrade = |version: &str, origin: &str| {
        let request = get("/v1/notes/7").header("connection", "upgrade").header("upgrade", "websocket").header("origin", origin);
        request.header("sec-websocket-version", version).header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let own = format!("http://{}", house.edge.local_addr);
    let expired = || {
        let mut claims = Issuer::claims(house.mesh.clock().now());
        claims["exp"] = json!(house.mesh.clock().now().timestamp() - 3600);
        claims["iat"] = json!(house.mesh.clock().now().timestamp() - 7200);
        house.issuer.sign(&claims)
    };
    let reader = || {
        let mut claims = Issuer::claims(house.mesh.clock().now());
        claims["roles"] = json!(["nobody"]);
        house.issuer.sign(&claims)
    };
    told(match what {
        "no such path" => get("/nothing"),
        "a path that is not UTF-8" => get("/v1/notes/%ff"),
        "a method that the path is not served for" => house.request("PUT", "/v1/notes/7"),
        "a method of the mesh's own" => post("/v1/notes:sweep").json(&json!({})),
        "path and query beyond the limit" => get(&format!("/v1/notes/{}", "x".repeat(9000))),
        "too many header fields" => (0..70).fold(get("/v1/notes/7"), |request, _| request.header("x-many", "1")),
        "a header that cannot be read" => get("/v1/notes/7").header("grpc-timeout", "soon"),
        "two hosts" => return two_hosts(house).await,
        "a body of another type" => raw("text/plain", "{}".into()),
        "a body packed in an unknown way" => fail(&json!({})).header("content-encoding", "compress"),
        "a body beyond the limit" => raw("application/json", " ".repeat(5 * 1024 * 1024)),
        "a body that is no JSON" => raw("application/json", "{".into()),
        "a field that there is not" => fail(&json!({"nope": 1})),
        "a parameter that there is not" => get("/v1/notes/7?nope=1"),
        "no credentials" => get("/v1/notes"),
        "forged credentials" => get("/v1/notes").bearer_auth("forged"),
        "expired credentials" => get("/v1/notes").bearer_auth(expired()),
        "a permission that the caller lacks" => house.request("PATCH", "/v1/notes/7").bearer_auth(reader()).json(&json!({})),
        "a limit that is used up" => {
            while house.get("/v1/limits/address").await.status == 200 {}
            get("/v1/limits/address")
        }
        "a WebSocket of another version" => upgrade("8", &own),
        "a WebSocket of a page of another origin" => upgrade("13", "https://evil.example"),
        "a domain that panics" => fail(&json!({})),
        "a broken invariant" => fail(&json!({"failure": "FAILURE_INTERNAL"})),
        "a reason of the domain's own" => fail(&json!({"failure": "FAILURE_BUSY"})),
        "a deadline that is over" => get("/v1/notes:hang"),
        "a domain that cannot be reached" => return unreachable().await,
        other => panic!("{other} is not brought about"),
    })
    .await
}

/// What the HTTP client would not send.
async fn two_hosts(house: &House) -> Told {
    let mut stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
    stream.write_all(b"GET /v1/notes/7 HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let fields = lines.filter_map(|line| line.split_once(": "));
    let headers = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    Told { status, headers, text: text.to_owned() }
}

/// An edge whose domains are gone.
async fn unreachable() -> Told {
    let house = House::start().await;
    let gone = house.unserved().await;
    let url = format!("http://{}/v1/notes/7", gone.local_addr);
    told(reqwest::Client::new().get(url)).await
}

#[tokio::test]
async fn every_condition_has_its_status_and_says_so_in_json() {
    let house = House::start().await;
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/edge.md")).unwrap();
    let mut rows = Vec::new();
    for &(what, status, code, reason) in TABLE {
        let answer = condition(&house, what).await;
        let body = answer.json();
        let context = format!("{what}: {answer:?}");
        assert_eq!((answer.status, body["status"].as_str(), answer.reason().as_str()), (status, Some(code), reason), "{context}");
        assert_eq!(answer.header("content-type"), "application/json", "{context}");
        assert_eq!(answer.request_id(), answer.header("x-request-id"), "{context}");
        assert!(!answer.request_id().is_empty() && !body["message"].as_str().unwrap().is_empty(), "{context}");
        // Neither causes nor where domains are: only the edge's own address was ever told to the client.
        for secret in ["hunter2", "panicked", "127.0.0.1", "src/", "os error"] {
            assert!(!answer.text.contains(secret), "{secret} in {context}");
        }
        assert_eq!(status == 401, !answer.header("www-authenticate").is_empty(), "{context}");
        let reason = if reason.is_empty() { String::new() } else { format!("`{reason}`") };
        rows.push(format!("| {what} | {status} | `{code}` | {reason} |"));
    }
    for row in &rows {
        assert!(document.contains(row), "docs/edge.md lacks a row; the table is\n{}", rows.join("\n"));
    }
}
