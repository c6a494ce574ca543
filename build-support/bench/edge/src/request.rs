//! What is asked, and what the answer has to be.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::upstream::COPIES;

/// A request, as it is written on the wire.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// HTTP/1.1, all of it.
    Http(Bytes),
    /// gRPC: a path and a framed message.
    Grpc(&'static str, Bytes),
}

/// What a load asks for over and over.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) request: Request,
    /// The JSON values of the answer, a line each; none for gRPC, whose answer is the message that was sent.
    pub(crate) answer: Vec<Value>,
    pub(crate) connections: usize,
    /// Requests at once on each.
    pub(crate) streams: usize,
}

/// The load that times are taken with.
pub(crate) fn get() -> Load {
    let item = json!({"id": "0192f7c4-58a5-7cc0", "warehouse": "north-4", "quantity": 3});
    let request = http_get("/v1/items/0192f7c4-58a5-7cc0?warehouse=north-4&quantity=3", "application/json");
    Load { name: "GET, two query fields", request, answer: vec![item], connections: 64, streams: 1 }
}

/// All loads whose throughput is measured.
pub(crate) fn loads() -> Vec<Load> {
    let get = get();
    let stream = Load {
        name: "stream of 100 messages",
        request: http_get("/v1/items/0192f7c4-58a5-7cc0/copies?warehouse=north-4&quantity=3", "application/x-ndjson"),
        answer: vec![get.answer[0].clone(); COPIES],
        connections: 16,
        streams: 1,
    };
    // weft.bench.edge.v1.Item, as in the GET.
    let item = b"\x0a\x120192f7c4-58a5-7cc0\x12\x07north-4\x18\x03";
    let grpc = Load {
        name: "gRPC passed through",
        request: Request::Grpc("/weft.bench.edge.v1.Echo/FindItem", framed(item)),
        answer: Vec::new(),
        connections: 8,
        streams: 8,
    };
    vec![get, post("POST, 190 B", 1, 32), post("POST, 10 KB", 68, 16), stream, grpc]
}

/// A stream of server-sent events that does not end, as it is written on the wire.
pub(crate) fn watch() -> Bytes {
    get_line("/v1/items/0192f7c4-58a5-7cc0/changes?warehouse=north-4&quantity=3", "text/event-stream")
}

fn post(name: &'static str, lines: usize, connections: usize) -> Load {
    let mut order = json!({"id": "o-17", "customer": "c-4711", "totalMinor": "1299", "currency": "EUR", "state": "STATE_PAID"});
    let line = if lines == 1 {
        json!({"sku": "A-1", "title": "Käse, 1 kg", "count": 2, "priceMinor": "649", "weight": 1.5})
    } else {
        json!({
            "sku": "B-20419", "title": "A \"fine\" chair of oak", "count": 4, "priceMinor": "12900", "weight": 7.25,
            "options": [3, 14, 159], "labels": {"colour": "green"},
        })
    };
    order["lines"] = vec![line; lines].into();
    let body = order.to_string();
    let head = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Load { name, request: Request::Http((head + &body).into()), answer: vec![order], connections, streams: 1 }
}

fn http_get(path: &str, accept: &str) -> Request {
    Request::Http(get_line(path, accept))
}

fn get_line(path: &str, accept: &str) -> Bytes {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n").into()
}

/// A message behind its gRPC header.
fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}
