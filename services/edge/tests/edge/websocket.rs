//! Calls by WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest},
};
use weft_edge_fixture::contract::Note;

use crate::{
    flow::{Version, get},
    house::House,
};

type Socket = WebSocketStream<TcpStream>;

async fn try_open(house: &House, path: &str, headers: &[(&'static str, &str)]) -> tungstenite::Result<Socket> {
    let mut request = format!("ws://{}{path}", house.edge.local_addr).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn open(house: &House, path: &str, headers: &[(&'static str, &str)]) -> Socket {
    try_open(house, path, headers).await.unwrap()
}

/// The next frame, in time.
async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a frame comes in time").unwrap().unwrap()
}

async fn value(socket: &mut Socket) -> Value {
    let frame = next(socket).await;
    serde_json::from_str(frame.to_text().unwrap()).unwrap_or_else(|_| panic!("{frame:?}"))
}

/// The code of the close frame that must come next.
async fn closed(socket: &mut Socket) -> u16 {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_conversation_is_held_in_text_frames_until_the_client_ends_it() {
    let house = House::start().await;
    let bearer = format!("Bearer {}", house.token());
    for path in ["/v1/notes:echo", "/fixture.notes.v1.Notes/EchoNotes"] {
        let mut socket = open(&house, path, &[("authorization", &bearer)]).await;
        for id in ["a", "b", "c"] {
            socket.send(Message::text(json!({"id": id}).to_string())).await.unwrap();
            assert_eq!(value(&mut socket).await["id"], id);
        }
        socket.send(Message::text("")).await.unwrap();
        assert_eq!(closed(&mut socket).await, 1000);
    }
}

#[tokio::test]
async fn with_the_subprotocol_protobuf_frames_are_messages() {
    let house = House::start().await;
    let bearer = format!("Bearer {}", house.token());
    let headers = [("authorization", bearer.as_str()), ("sec-websocket-protocol", "protobuf")];
    let mut socket = open(&house, "/v1/notes:echo", &headers).await;
    let note = Note { id: "7".into(), ..Note::default() };
    socket.send(Message::binary(note.encode_to_vec())).await.unwrap();
    assert_eq!(Note::decode(next(&mut socket).await.into_data()).unwrap().id, "7");
    socket.send(Message::text("")).await.unwrap();
    assert_eq!(closed(&mut socket).await, 1000);
}

#[tokio::test]
async fn every_kind_of_method_is_called_by_a_socket() {
    let house = House::start().await;
    let bearer = format!("Bearer {}", house.token());
    let mut socket = open(&house, "/v1/notes:watch?count=2", &[]).await;
    assert_eq!(value(&mut socket).await["id"], "0");
    assert_eq!(value(&mut socket).await["id"], "1");
    assert_eq!(closed(&mut socket).await, 1000);
    let mut socket = open(&house, "/v1/notes:import", &[("authorization", &bearer)]).await;
    for _ in 0..3 {
        socket.send(Message::text("{}")).await.unwrap();
    }
    socket.send(Message::text("")).await.unwrap();
    assert_eq!((value(&mut socket).await, closed(&mut socket).await), (json!({"count": "3"}), 1000));
    let mut socket = open(&house, "/v1/notes/7", &[]).await;
    assert_eq!((value(&mut socket).await["id"].clone(), closed(&mut socket).await), (json!("7"), 1000));
}

#[tokio::test]
async fn a_failure_is_said_before_the_socket_is_closed_with_its_code() {
    let house = House::start().await;
    let bearer = format!("Bearer {}", house.token());
    let mut socket = open(&house, "/v1/notes:watch?count=1&fail=true", &[]).await;
    assert_eq!(value(&mut socket).await["id"], "0");
    let status = value(&mut socket).await;
    assert_eq!((&status["code"], &status["details"][0]["reason"]), (&json!(8), &json!("BUSY")));
    assert_eq!(closed(&mut socket).await, 4008);
    for (frame, field) in [
        (Message::text("{\"nope\": 1}"), json!("nope")),
        (Message::text("{"), json!(null)),
        (Message::binary(vec![1]), json!(null)),
    ] {
        let mut socket = open(&house, "/v1/notes:echo", &[("authorization", &bearer)]).await;
        socket.send(frame.clone()).await.unwrap();
        if frame == Message::text("{") {
            socket.send(Message::text("")).await.unwrap();
        }
        let status = value(&mut socket).await;
        assert_eq!((&status["code"], closed(&mut socket).await), (&json!(3), 4003), "{frame:?}: {status}");
        if field != json!(null) {
            assert_eq!(status["details"][1]["fieldViolations"][0]["field"], field);
        }
    }
}

#[tokio::test]
async fn a_call_that_may_not_begin_is_an_answer_of_http() {
    let house = House::start().await;
    for (path, headers, status) in [
        ("/v1/notes:echo", &[][..], 401),
        ("/v1/nothing", &[], 404),
        ("/v1/notes:watch?nope=1", &[], 400),
        ("/v1/notes:watch", &[("origin", "https://elsewhere.example")], 403),
        ("/v1/notes:sweep", &[], 404),
    ] {
        match try_open(&house, path, headers).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), status, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call_and_a_server_that_stops_says_so() {
    let house = House::start().await;
    let mut socket = open(&house, "/v1/notes:follow", &[]).await;
    value(&mut socket).await;
    let mut watcher = get(&house, Version::One, "/v1/notes:follow", "").await;
    drop(socket);
    let left = Instant::now();
    loop {
        let text = watcher.text().await;
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        if last["followers"] == 1 {
            break;
        }
        assert!(left.elapsed() < Duration::from_secs(1), "the call goes on without its client");
    }
    drop(watcher);
    let mut socket = open(&house, "/v1/notes:follow", &[]).await;
    value(&mut socket).await;
    let stopped = tokio::spawn(house.edge.shutdown());
    loop {
        if let Message::Close(frame) = next(&mut socket).await {
            assert_eq!(u16::from(frame.unwrap().code), 1001);
            break;
        }
    }
    stopped.await.unwrap();
}
