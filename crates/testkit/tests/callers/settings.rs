//! What configuration denies, and allows again.

use std::{future::pending, time::Instant};

use futures_util::{StreamExt, stream};
use tokio::{sync::oneshot, task::JoinHandle};
use weft_edge_fixture::contract::{ImportNotesResponse, Note, NotesClient};
use weft_mesh::{Call, Reply, Result};

use crate::given::{PROMISED, assert_refused, counted, denied, echo, end, get, mesh};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_deny_refuses_calls_at_once_and_a_new_allow_takes_them_again() {
    let mesh = mesh().await;
    let (reader, call) = (mesh.client_as::<NotesClient>("reader"), mesh.user(mesh.tenant(), "writer").call());
    let rules = mesh.running().caller_rules();
    get(&reader, &call).await.unwrap();
    rules.set_settings(&denied(&["reader"], None));
    assert_refused(&get(&reader, &call).await.unwrap_err(), "reader", "configuration");
    get(&mesh.client(), &call).await.expect("the edge is not denied");
    rules.set_settings(&denied(&[], None));
    get(&reader, &call).await.unwrap();
    let refused = r#"weft_callers_refused_total{domain="notes",method="GetNote",rule="configuration",enforced="true"}"#;
    assert_eq!(counted(&mesh, refused), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_a_caller_that_is_denied_are_cut_within_a_second_and_those_of_others_are_not() {
    let mesh = mesh().await;
    let (reader, call) = (mesh.client_as::<NotesClient>("reader"), mesh.user(mesh.tenant(), "writer").call());
    let edge = mesh.client::<NotesClient>();
    let (cut, kept) = (echo(&reader, &call).await, echo(&edge, &call).await);
    let importing = import(mesh.client_as("reader"), call).await;
    let begun = Instant::now();
    mesh.running().caller_rules().set_settings(&denied(&["reader"], None));
    let (error, took) = end(cut, begun).await;
    assert_refused(&error.expect("the stream ends with a status"), "reader", "configuration");
    assert!(took < PROMISED, "{took:?}");
    let imported = importing.await.unwrap();
    assert_refused(&imported.unwrap_err(), "reader", "configuration");
    assert!(begun.elapsed() < PROMISED, "{:?}", begun.elapsed());
    assert_eq!(counted(&mesh, r#"weft_streams_revoked_total{domain="notes"}"#), 2);
    // Still open, until its caller is denied too.
    let begun = Instant::now();
    mesh.running().caller_rules().set_settings(&denied(&["reader", "edge"], None));
    let (error, took) = end(kept, begun).await;
    assert_refused(&error.expect("the stream ends with a status"), "edge", "configuration");
    assert!(took < PROMISED, "{took:?}");
}

/// A stream of requests without end, and so without an answer, which the handler reads already.
async fn import(client: NotesClient, call: Call) -> JoinHandle<Result<Reply<ImportNotesResponse>>> {
    // More than the windows of the connection hold: the rest leaves only when the handler has read the first.
    let notes = (0..80).map(|_| Ok(Note { key: "k".repeat(64 * 1024), ..Note::default() }));
    let (sent, read) = oneshot::channel();
    let end = stream::once(async {
        sent.send(()).unwrap();
        pending().await
    });
    let notes = Box::pin(stream::iter(notes).chain(end));
    let importing = tokio::spawn(async move { client.import_notes(&call, notes).await });
    read.await.unwrap();
    importing
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_of_one_method_leaves_the_streams_of_another() {
    let mesh = mesh().await;
    let (reader, call) = (mesh.client_as::<NotesClient>("reader"), mesh.user(mesh.tenant(), "writer").call());
    let stream = echo(&reader, &call).await;
    let rules = mesh.running().caller_rules();
    rules.set_settings(&denied(&["reader"], Some("GetNote")));
    assert_refused(&get(&reader, &call).await.unwrap_err(), "reader", "configuration");
    rules.set_settings(&denied(&["reader"], Some("EchoNotes")));
    get(&reader, &call).await.unwrap();
    let (error, _) = end(stream, Instant::now()).await;
    assert_refused(&error.expect("the stream ends with a status"), "reader", "configuration");
    assert_eq!(counted(&mesh, r#"weft_streams_revoked_total{domain="notes"}"#), 1, "neither rule cut more than the stream");
}
