//! A process that is asked to stop does so in an order in which nothing is lost: it says that it is not ready, leaves the
//! registry, and only then goes away from its callers, whose calls it finishes first.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use weft_edge_fixture::contract::{FollowNotesRequest, FollowNotesResponse, NotesClient};
use weft_mesh::{Clock, Error, MeshReason, Result, Streaming};
use weft_test_consul::Agent;
use weft_testkit::{Backend, Mesh};

const DRAIN: Duration = Duration::from_secs(2);

/// A mesh that is found by Consul, once it is.
async fn registered(agent: &Agent) -> Mesh {
    let address = agent.http().unwrap();
    let consul = move |config: &mut weft_config::Config| {
        config.consul.address = Some(address);
        config.mesh.drain_timeout = DRAIN;
    };
    let mesh = Mesh::of([weft_edge_fixture::domain()]).admin().clock(Clock::system()).configure(consul).start(Backend::Sqlite);
    let mesh = mesh.await;
    let found = async {
        while !services(agent).contains("notes") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), found).await.expect("it registers");
    mesh
}

fn services(agent: &Agent) -> String {
    agent.ask("GET", "/v1/agent/services", "").unwrap()
}

/// The HTTP status of the readiness.
async fn ready(admin: SocketAddr) -> String {
    let mut tcp = TcpStream::connect(admin).await.unwrap();
    tcp.write_all(b"GET /ready HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn follow(mesh: &Mesh) -> Streaming<FollowNotesResponse> {
    let request = FollowNotesRequest::default();
    let mut notes = mesh.client::<NotesClient>().follow_notes(&mesh.anonymous(), request).await.unwrap().into_message();
    notes.next().await.unwrap().unwrap();
    notes
}

/// The error that the stream ends with, and when that is.
async fn end(mut notes: Streaming<FollowNotesResponse>) -> (Error, Instant) {
    loop {
        let note: Result<_> = notes.next().await.expect("an error ends the stream");
        if let Err(error) = note {
            return (error, Instant::now());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_leaves_the_registry_before_it_leaves_its_callers() {
    let agent = tokio::task::spawn_blocking(Agent::start).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let mesh = registered(&agent).await;
    let (admin, port) = (mesh.running().admin().unwrap(), mesh.running().addresses()["notes"]);
    let (notes, mut open) = (mesh.client::<NotesClient>(), follow(&mesh).await);
    assert_eq!(ready(admin).await, "200");

    mesh.running().drain().await;
    assert_eq!(ready(admin).await, "503");
    assert!(!services(&agent).contains("notes"), "deregistered by the time that it is told");
    // Callers that do not know yet are served as before, and what is open goes on.
    notes.get_motto(&mesh.anonymous(), ()).await.unwrap();
    open.next().await.unwrap().unwrap();

    // Its streams may go on for a while, and then end with a reason; nothing is left after the drain time.
    let anonymous = mesh.anonymous();
    let (began, ending) = (Instant::now(), tokio::spawn(end(open)));
    mesh.stop().await;
    assert!(began.elapsed() < DRAIN + Duration::from_secs(1), "{:?}", began.elapsed());
    let (error, at) = ending.await.unwrap();
    assert_eq!(error.reason(), Some(MeshReason::Draining));
    assert!(at - began >= DRAIN / 4, "streams are given time: {:?}", at - began);
    assert!(TcpStream::connect(port).await.is_err(), "nobody listens");
    assert!(notes.get_motto(&anonymous, ()).await.is_err());
}
