//! An edge that ends under load loses nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet};

use crate::house::House;

/// Clients of each protocol.
const CLIENTS: usize = 8;

#[derive(Debug, Default)]
struct Count {
    answered: AtomicUsize,
    lost: AtomicUsize,
}

impl Count {
    async fn note(&self, answer: hyper::Result<http::Response<hyper::body::Incoming>>) -> bool {
        let mut leaves = false;
        let whole = match answer {
            Ok(answer) => {
                leaves = answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
                answer.status() == StatusCode::OK && answer.into_body().collect().await.is_ok()
            }
            Err(error) => {
                println!("lost: {error:?}");
                false
            }
        };
        if whole { &self.answered } else { &self.lost }.fetch_add(1, Ordering::Relaxed);
        leaves
    }
}

/// The connection said that it takes no new requests, and which was the last (RFC 9113 section 6.8): not this one.
fn is_not_taken(error: &hyper::Error) -> bool {
    format!("{error:?}").contains("GoAway(b\"\", NO_ERROR")
}

fn get() -> Request<Empty<Bytes>> {
    Request::get("http://edge/v1/notes/7").header("host", "edge").body(Empty::new()).unwrap()
}

/// Asks again and again over HTTP/1.1, until nobody listens any more; leaves a connection when it is told to.
async fn http_1(address: SocketAddr, count: Arc<Count>) {
    while let Ok(stream) = TcpStream::connect(address).await {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        // A connection that the listener's queue held when it closed was never accepted.
        while sender.ready().await.is_ok() {
            let answer = sender.send_request(get()).await;
            if count.note(answer).await {
                break;
            }
        }
    }
}

/// The same over HTTP/2. A request that the connection did not take any more is not lost.
async fn http_2(address: SocketAddr, count: Arc<Count>) {
    while let Ok(stream) = TcpStream::connect(address).await {
        let Ok((mut sender, connection)) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await else { return };
        tokio::spawn(connection);
        while sender.ready().await.is_ok() {
            match sender.send_request(get()).await {
                Err(error) if error.is_canceled() || is_not_taken(&error) => break,
                answer => _ = count.note(answer).await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_ends_under_load_loses_nothing() {
    let house = House::start().await;
    let (address, count) = (house.edge.local_addr, Arc::new(Count::default()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(http_1(address, Arc::clone(&count)));
        clients.spawn(http_2(address, Arc::clone(&count)));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = count.answered.load(Ordering::Relaxed);
    house.edge.shutdown().await;
    tokio::time::timeout(Duration::from_secs(10), clients.join_all()).await.expect("every client sees that the edge is gone");
    let (answered, lost) = (count.answered.load(Ordering::Relaxed), count.lost.load(Ordering::Relaxed));
    println!("{before} answered before the end, {} while it ended, {lost} lost", answered - before);
    assert!(before > 0 && answered > before, "there was load before and during the end");
    assert_eq!(lost, 0);
}
