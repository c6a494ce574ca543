//! Rules that are recorded and not enforced.

use weft_access::{CallerSettings, Enforcement};
use weft_edge_fixture::contract::NotesClient;
use weft_mesh::MeshReason;

use crate::given::{counted, denied, echo, get, mesh, until_counted};

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_would_be_refused_go_through_and_are_counted() {
    let mesh = mesh().await;
    let (stranger, user) = (mesh.client_as::<NotesClient>("stranger"), mesh.user(mesh.tenant(), "writer").call());
    let rules = mesh.running().caller_rules();
    assert_eq!(get(&stranger, &user).await.unwrap_err().reason(), Some(MeshReason::CallerNotAllowed));
    rules.set_settings(&CallerSettings { enforcement: Enforcement::AuditOnly, ..denied(&["reader"], None) });
    get(&stranger, &user).await.unwrap();
    let stream = echo(&mesh.client_as("reader"), &user).await;
    let unenforced = |method: &str, rule: &str| {
        format!(r#"weft_callers_refused_total{{domain="notes",method="{method}",rule="{rule}",enforced="false"}}"#)
    };
    assert_eq!(counted(&mesh, &unenforced("GetNote", "contract")), 1);
    assert_eq!(counted(&mesh, &unenforced("EchoNotes", "configuration")), 1);
    assert_eq!(counted(&mesh, r#"weft_streams_revoked_total{domain="notes"}"#), 0);
    // What a method demands of users holds all the same.
    let nobody = stranger.list_notes(&mesh.anonymous(), weft_edge_fixture::contract::ListNotesRequest::default()).await;
    let refused = nobody.unwrap_err();
    assert_eq!(refused.reason(), Some(MeshReason::CredentialsMissing), "{refused:?}");
    // Enforced again, the stream that was let through is cut.
    rules.set_settings(&denied(&["reader"], None));
    until_counted(&mesh, r#"weft_streams_revoked_total{domain="notes"}"#, 1).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_names_nobody_ends_the_start() {
    for (setting, rule, named) in [
        ("mesh.callers", "reports>nots", "the domain \"nots\""),
        ("mesh.callers", "reports>notes/GetNotes", "the method \"GetNotes\""),
        ("mesh.deny", "*>note", "the domain \"note\""),
        ("mesh.deny", "egde>notes", "the caller \"egde\""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = weft_config::Config { data_dir: folder.path().to_owned(), ..weft_config::Config::default() };
        let rules = if setting == "mesh.deny" { &mut config.mesh.deny } else { &mut config.mesh.callers };
        rules.push(rule.parse().unwrap());
        let refused = weft_mesh::Runtime::new(config, vec![weft_edge_fixture::domain()]).start().await.unwrap_err();
        let sentence = refused.to_string();
        assert!(sentence.starts_with(&format!("{setting} names {named}")), "{rule}: {sentence}");
    }
}
