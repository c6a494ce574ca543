//! Connections whose peer may call nothing any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};
use weft_edge_fixture::contract::NotesClient;
use weft_testkit::Mesh;
use weft_workload_identity::client_config;

use crate::given::{LIMIT, PROMISED, counted, denied, echo, get, mesh, until_counted};

const REVOKED: &str = r#"weft_connections_revoked_total{domain="notes"}"#;
/// RFC 9113 section 6.8.
const GOAWAY: u8 = 7;
/// RFC 9113 section 6.7.
const PING: u8 = 6;

/// HTTP/2 by hand: what a client library hides is what is looked for.
struct Connection(TlsStream<TcpStream>);

impl Connection {
    /// Connects as a workload and exchanges settings.
    async fn open(mesh: &Mesh, own: &str) -> Self {
        let config = client_config(mesh.running().certificates(), &own.parse().unwrap(), &"notes".parse().unwrap()).unwrap();
        let tcp = TcpStream::connect(mesh.running().addresses()["notes"]).await.unwrap();
        let name = ServerName::try_from("mesh.invalid").unwrap();
        let mut tls = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await.unwrap();
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut connection = Self(tls);
        assert!(connection.frame().await.is_some(), "the server does not serve the connection");
        connection
    }

    /// The type, flags and payload of the next frame, none at the end of the connection.
    async fn frame(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], head[4], payload))
    }

    /// Reads to the end, as a client that is polite: it answers pings. True if it was told by GOAWAY.
    async fn told_and_closed(mut self) -> bool {
        let mut is_told = false;
        while let Some((kind, flags, payload)) = timeout(LIMIT, self.frame()).await.expect("the connection is still open") {
            is_told |= kind == GOAWAY;
            if kind == PING && flags == 0 {
                let pong = [&[0, 0, 8, PING, 1, 0, 0, 0, 0][..], &payload].concat();
                self.0.write_all(&pong).await.unwrap();
            }
        }
        is_told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_closed_when_nothing_is_left_that_its_peer_may_call_and_others_stay() {
    let mesh = mesh().await;
    let (reader, call) = (mesh.client_as::<NotesClient>("reader"), mesh.user(mesh.tenant(), "writer").call());
    let edge = echo(&mesh.client(), &call).await;
    get(&reader, &call).await.unwrap();
    let bare = Connection::open(&mesh, "reader").await;
    let rules = mesh.running().caller_rules();
    rules.set_settings(&denied(&["reader"], Some("GetNote")));
    rules.set_settings(&denied(&[], None));
    let begun = Instant::now();
    rules.set_settings(&denied(&["reader"], None));
    assert!(bare.told_and_closed().await, "closed without GOAWAY");
    assert!(begun.elapsed() < PROMISED, "{:?}", begun.elapsed());
    // The client's own connection as well; the edge's stays, and its stream with it.
    until_counted(&mesh, REVOKED, 2).await;
    rules.set_settings(&denied(&[], None));
    get(&reader, &call).await.expect("the client connects anew");
    drop(edge);
    assert_eq!(counted(&mesh, REVOKED), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_may_call_nothing_is_told_why_and_does_not_stay() {
    let mesh = mesh().await;
    let begun = Instant::now();
    let bare = Connection::open(&mesh, "stranger").await;
    let stranger = mesh.client_as::<NotesClient>("stranger");
    let call = mesh.user(mesh.tenant(), "writer").call();
    crate::given::assert_refused(&get(&stranger, &call).await.unwrap_err(), "stranger", "contract");
    assert!(bare.told_and_closed().await, "closed without GOAWAY");
    assert!(begun.elapsed() > Duration::from_secs(4), "it had time to call: {:?}", begun.elapsed());
}
