//! Streams end by their idle time, their lifetime or the end of their connection, and say which.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use weft_call::{Error, MeshReason, Streaming};
use weft_transport::Tuning;

use crate::given::Mesh;

const SHORT: Duration = Duration::from_millis(300);

/// The error at the end of the stream.
async fn end(mut stream: Streaming<Bytes>) -> Error {
    loop {
        match stream.next().await.expect("an error ends the stream") {
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

fn idle() -> Tuning {
    let mut tuning = Tuning::default();
    tuning.streams.idle = SHORT;
    tuning
}

#[tokio::test]
async fn either_end_ends_a_stream_on_which_nothing_passes() {
    for (serving, calling) in [(idle(), Tuning::default()), (Tuning::default(), idle())] {
        let mut mesh = Mesh::start(serving, calling).await;
        let (mut stream, sender) = mesh.watch().await;
        sender.send(Ok(Bytes::from_static(b"news"))).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "news");
        assert_eq!(end(stream).await.reason(), Some(MeshReason::StreamIdle));
        tokio::time::timeout(Duration::from_secs(5), sender.closed()).await.expect("the handler learns of it");
    }
}

#[tokio::test]
async fn either_end_ends_a_stream_at_the_end_of_its_life() {
    let mut short = Tuning::default();
    short.streams.lifetime = SHORT;
    for (serving, calling) in [(short.clone(), Tuning::default()), (Tuning::default(), short)] {
        let mut mesh = Mesh::start(serving, calling).await;
        let (stream, sender) = mesh.watch().await;
        tokio::spawn(async move {
            // It is never idle.
            while sender.send(Ok(Bytes::from_static(b"news"))).is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        });
        assert_eq!(end(stream).await.reason(), Some(MeshReason::StreamExpired));
    }
}

#[tokio::test]
async fn a_stream_is_told_that_its_server_stops() {
    let mut mesh = Mesh::start(Tuning::default(), Tuning::default()).await;
    let (stream, _sender) = mesh.watch().await;
    mesh.stop.cancel();
    assert_eq!(end(stream).await.reason(), Some(MeshReason::Draining));
}
