//! A domain works on as many calls as it can, lets a few wait, and refuses the rest before they begin.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use weft_call::{Code, MeshReason};
use weft_transport::Tuning;

use crate::given::{HOLD, Mesh, WORK, once, until};

const LONG: Duration = Duration::from_secs(20);

/// One call at once, and one that waits.
fn narrow() -> Tuning {
    let mut tuning = Tuning::default();
    (tuning.serving.initial, tuning.serving.least, tuning.serving.queue) = (1, 1, 1);
    tuning.serving.queue_wait = LONG;
    tuning
}

/// A domain that works on one call, with another in its queue; the two calls.
async fn full() -> (Arc<Mesh>, [tokio::task::JoinHandle<Option<Code>>; 2]) {
    let mesh = Arc::new(Mesh::start(narrow(), once()).await);
    let call = |mesh: Arc<Mesh>| tokio::spawn(async move { mesh.call(HOLD, LONG).await.err().map(|error| error.code()) });
    let first = call(Arc::clone(&mesh));
    until("the first call begins", || mesh.handler.begun.load(Ordering::SeqCst) == 1).await;
    let second = call(Arc::clone(&mesh));
    until("the second call waits", || {
        mesh.metrics.render().contains("weft_concurrency_queued{side=\"server\",domain=\"orders\"} 1")
    })
    .await;
    (mesh, [first, second])
}

#[tokio::test]
async fn a_call_that_finds_the_queue_full_is_pushed_back_and_never_begins() {
    let (mesh, [first, second]) = full().await;
    let refused = mesh.call(WORK, LONG).await.unwrap_err();
    assert_eq!((refused.code(), refused.reason()), (Code::ResourceExhausted, Some(MeshReason::Overloaded)));
    assert!(refused.retry_after().is_some_and(|wait| !wait.is_zero()), "{refused:?}");
    let refused = mesh.call(HOLD, LONG).await.unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::Overloaded));
    assert_eq!(mesh.handler.begun.load(Ordering::SeqCst), 1);
    mesh.handler.ends.add_permits(2);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (None, None));
    assert_eq!(mesh.handler.begun.load(Ordering::SeqCst), 2, "those that were let in, and no other");
    let text = mesh.metrics.render();
    assert!(text.contains("weft_calls_shed_total{side=\"server\",domain=\"orders\"} 2"), "{text}");
}

#[tokio::test]
async fn the_wait_in_the_queue_is_on_the_calls_own_time() {
    let mut tuning = narrow();
    tuning.serving.queue = 2;
    let mesh = Arc::new(Mesh::start(tuning, once()).await);
    let first = tokio::spawn({
        let mesh = Arc::clone(&mesh);
        async move { mesh.call(HOLD, LONG).await.map(drop) }
    });
    until("the first call begins", || mesh.handler.begun.load(Ordering::SeqCst) == 1).await;
    let late = mesh.call(HOLD, Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    until("the late call leaves the queue", || {
        mesh.metrics.render().contains("weft_concurrency_queued{side=\"server\",domain=\"orders\"} 0")
    })
    .await;
    mesh.handler.ends.add_permits(2);
    first.await.unwrap().unwrap();
    mesh.call(WORK, LONG).await.unwrap();
    assert_eq!(mesh.handler.begun.load(Ordering::SeqCst), 1, "a call whose time is up does not begin");
}

#[tokio::test]
async fn a_caller_that_may_repeat_comes_again_when_it_was_told_to() {
    let (mut serving, calling) = (narrow(), Tuning::default());
    serving.serving.queue = 0;
    serving.serving.queue_wait = Duration::from_millis(200);
    let mesh = Arc::new(Mesh::start(serving, calling).await);
    let first = tokio::spawn({
        let mesh = Arc::clone(&mesh);
        async move { mesh.call(HOLD, LONG).await.map(drop) }
    });
    until("the first call begins", || mesh.handler.begun.load(Ordering::SeqCst) == 1).await;
    let again = tokio::spawn({
        let mesh = Arc::clone(&mesh);
        async move { mesh.call(HOLD, LONG).await.map(drop) }
    });
    until("the second call is pushed back", || mesh.metrics.render().contains("weft_calls_shed_total")).await;
    mesh.handler.ends.add_permits(2);
    first.await.unwrap().unwrap();
    again.await.unwrap().unwrap();
    let text = mesh.metrics.render();
    assert!(text.contains("weft_retries_total{domain=\"orders\",why=\"failed\"} 1"), "{text}");
}

#[tokio::test]
async fn an_open_stream_holds_no_place_among_calls() {
    let mut mesh = Mesh::start(narrow(), once()).await;
    let (_stream, _sender) = mesh.watch().await;
    let (_another, _sender) = mesh.watch().await;
    mesh.call(WORK, LONG).await.unwrap();
}
