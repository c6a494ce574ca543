//! A mesh of the fixture, which streams, and callers of it.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use weft_access::{CallerPattern, CallerSettings};
use weft_edge_fixture::contract::{GetNoteRequest, Note, NotesClient};
use weft_mesh::{Call, Code, Error, MeshReason, Reply, Result, Streaming};
use weft_testkit::{Backend, Mesh};

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Within this a new rule is in force.
pub(crate) const PROMISED: Duration = Duration::from_secs(1);

/// The fixture, which knows `reader` as a caller by configuration.
pub(crate) async fn mesh() -> Mesh {
    let callers = |config: &mut weft_config::Config| config.mesh.callers = vec!["reader>notes".parse().unwrap()];
    Mesh::of([weft_edge_fixture::domain()]).configure(callers).start(Backend::Sqlite).await
}

/// What `mesh` was started with, and these callers denied.
pub(crate) fn denied(callers: &[&str], method: Option<&str>) -> CallerSettings {
    let pattern = |caller: &str, method: Option<&str>| CallerPattern {
        caller: Some(caller.to_owned()),
        domain: "notes".to_owned(),
        method: method.map(str::to_owned),
    };
    CallerSettings {
        callers: vec![pattern("reader", None)],
        deny: callers.iter().map(|caller| pattern(caller, method)).collect(),
        ..CallerSettings::default()
    }
}

pub(crate) async fn get(client: &NotesClient, call: &Call) -> Result<Reply<Note>> {
    client.get_note(call, GetNoteRequest { id: "1".to_owned() }).await
}

/// A stream both ways on which one note has passed, and whose requests never end.
pub(crate) async fn echo(client: &NotesClient, call: &Call) -> Streaming<Note> {
    let notes = stream::iter([Ok(Note::default())]).chain(stream::pending());
    let mut echoed = client.echo_notes(call, Box::pin(notes)).await.unwrap().message;
    echoed.next().await.unwrap().unwrap();
    echoed
}

/// How the stream ended, and how long that took.
pub(crate) async fn end(mut stream: Streaming<Note>, since: Instant) -> (Option<Error>, Duration) {
    let end = tokio::time::timeout(LIMIT, stream.next()).await.expect("the stream is still open");
    (end.map(|item| item.unwrap_err()), since.elapsed())
}

#[track_caller]
pub(crate) fn assert_refused(error: &Error, caller: &str, rule: &str) {
    assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, Some(MeshReason::CallerNotAllowed)), "{error:?}");
    let fact = |key: &str| error.metadata().get(key).map(String::as_str);
    assert_eq!((fact("caller"), fact("rule")), (Some(caller), Some(rule)), "{error:?}");
}

/// The value of a counter.
pub(crate) fn counted(mesh: &Mesh, name: &str) -> u64 {
    let metrics = mesh.running().metrics().render();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// Waits until a counter has a value.
pub(crate) async fn until_counted(mesh: &Mesh, name: &str, expected: u64) {
    let counting = async {
        while counted(mesh, name) != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let done = tokio::time::timeout(LIMIT, counting).await;
    assert!(done.is_ok(), "{name} is {} and not {expected}", counted(mesh, name));
}
