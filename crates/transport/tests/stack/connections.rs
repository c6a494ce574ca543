//! Connections are replaced when they are old, and given up when they do not come to be.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpListener, time::Instant};
use weft_call::{CallBuilder, Clock, Code, MethodContract, Payload};
use weft_transport::Tuning;

use crate::given::{HOLD, Mesh, WORK, once};

const SHORT: Duration = Duration::from_millis(200);

/// Makes calls one after the other for as long as five short ages.
async fn call_on(mesh: &Mesh, method: &'static MethodContract) {
    let until = Instant::now() + 5 * SHORT;
    while Instant::now() < until {
        mesh.call(method, Duration::from_secs(5)).await.expect("no call is lost to the end of a connection");
    }
}

#[tokio::test]
async fn a_caller_replaces_old_connections_and_loses_no_call() {
    let mut calling = once();
    calling.connections.max_age = SHORT;
    let mesh = Mesh::start(Tuning::default(), calling).await;
    // Not one of them may be sent again.
    call_on(&mesh, WORK).await;
    assert!(mesh.connections.load(Ordering::SeqCst) >= 3, "{:?}", mesh.connections);
}

#[tokio::test]
async fn a_server_ends_the_connections_of_a_caller_that_does_not_replace_them() {
    let mut serving = Tuning::default();
    (serving.connections.max_age, serving.connections.age_grace) = (SHORT, SHORT);
    let mesh = Mesh::start(serving, Tuning::default()).await;
    // A request may meet the GOAWAY on its way: only what may be sent again is not lost to it.
    mesh.handler.ends.add_permits(1_000_000);
    call_on(&mesh, HOLD).await;
    assert!(mesh.connections.load(Ordering::SeqCst) >= 2, "{:?}", mesh.connections);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up_by_both_ends() {
    let mut hasty = once();
    hasty.connections.handshake = SHORT;
    let mesh = Mesh::start(hasty.clone(), hasty.clone()).await;
    let mut silent = tokio::net::TcpStream::connect(mesh.address).await.unwrap();
    let mut byte = [0];
    let closed = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut byte)).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "the server hangs up: {closed:?}");

    // It takes connections into its backlog and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstreams = mesh.caller_of(mute.local_addr().unwrap(), hasty);
    let upstream = upstreams.upstream("orders").unwrap();
    let (call, began) = (CallBuilder::new(Clock::system()).build(), Instant::now());
    let failed = upstream.call(&call, WORK, Payload::Message(bytes::Bytes::new())).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
