//! How many connections there may be, and for how long.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::house::House;

const GET: &[u8] = b"GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection from one of this machine's addresses.
async fn connect(house: &House, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect(house.edge.local_addr).await.unwrap()
}

/// The head of the answer to a request; empty if the connection is closed instead.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    // One that is closed already is closed to this as well.
    let _ = stream.write_all(request).await;
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0_usize);
        stream.read_exact(&mut vec![0; length]).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer or an end in time");
    String::from_utf8_lossy(&head).into_owned()
}

fn metric(house: &House, line: &str) -> bool {
    house.mesh.running().metrics().render().lines().any(|found| found == line)
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_any_number() {
    let house = House::with(|edge| {
        edge.settings.max_connections_per_address = 2;
        edge.settings.trusted_proxies = vec!["127.0.0.3".parse::<std::net::IpAddr>().unwrap().into()];
    })
    .await;
    let (mut first, mut second) = (connect(&house, 1).await, connect(&house, 1).await);
    for stream in [&mut first, &mut second, &mut connect(&house, 2).await] {
        assert!(ask(stream, GET).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(ask(&mut connect(&house, 1).await, GET).await, "");
    assert!(metric(&house, "weft_edge_connections_ended_total{reason=\"address_full\"} 1"));
    let mut of_proxy = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&house, 3).await;
        assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
        of_proxy.push(stream);
    }
    drop(first);
    // Its place is free once the edge has seen that it is gone.
    let again = async {
        while ask(&mut connect(&house, 1).await, GET).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("the place is free again");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_no_longer_than_it_may_idle() {
    let house = House::with(|edge| {
        edge.settings.header_timeout = Duration::from_millis(300);
        edge.settings.idle_timeout = Duration::from_millis(900);
    })
    .await;
    let mut stream = connect(&house, 1).await;
    assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200"), "longer than a header may take, and shorter than idling");
    assert_eq!(ask(&mut stream, b"").await, "", "it ends");
    assert!(metric(&house, "weft_edge_connections_ended_total{reason=\"idle\"} 1"));
    let mut slow = connect(&house, 1).await;
    assert!(ask(&mut slow, GET).await.starts_with("HTTP/1.1 200"));
    assert_eq!(ask(&mut slow, &GET[..20]).await, "", "half a header is not idling");
    assert!(metric(&house, "weft_edge_connections_ended_total{reason=\"header\"} 1"));
}

#[tokio::test]
async fn what_follows_a_body_in_chunks_is_not_read() {
    let house = House::start().await;
    let smuggled = "GET /v1/notes/8 HTTP/1.1\r\nhost: x\r\n\r\n";
    for lengths in ["transfer-encoding: chunked\r\ncontent-length: 5", "content-length: 5\r\ntransfer-encoding: chunked"] {
        let request = format!("POST /v1/notes:fail HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{smuggled}");
        let mut stream = connect(&house, 1).await;
        let head = ask(&mut stream, request.as_bytes()).await;
        assert!(head.to_ascii_lowercase().contains("connection: close"), "{head}");
        let mut rest = String::new();
        // A connection that is reset is closed as well.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut rest)).await.expect("it is closed");
        assert!(!rest.contains("HTTP/1.1"), "{rest}");
    }
}

#[tokio::test]
async fn clients_are_asked_to_leave_and_those_that_come_are_served() {
    let house = House::start().await;
    let mut before = connect(&house, 1).await;
    assert!(ask(&mut before, GET).await.starts_with("HTTP/1.1 200"));
    house.edge.leaving().cancel();
    for mut stream in [before, connect(&house, 1).await] {
        let head = ask(&mut stream, GET).await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
        assert_eq!(ask(&mut stream, b"").await, "");
    }
}
