//! A person who asks for it is forgotten: nothing of them is in a file or a dump.

use std::{fs, path::Path};

use secrecy::ExposeSecret;
use uuid::Uuid;
use weft_contracts_auth::{CreateApiKeyRequest, Role};
use weft_mesh::{Subject, TenantId};
use weft_testkit::{Backend, on_both};

use crate::{
    audit::{store, system},
    given::Given,
};

on_both!(an_erased_person_is_in_no_dump_and_others_are);

/// The files of SQLite with what is beside them, or what `pg_dump` writes.
fn dump(given: &Given) -> Vec<u8> {
    let config = given.mesh.running().config();
    match &config.database.url {
        Some(url) => weft_test_postgres::dump(&url.expose_secret().parse().unwrap()).unwrap(),
        None => files(&config.data_dir),
    }
}

fn files(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

fn is_in(dump: &[u8], text: &str) -> bool {
    dump.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn an_erased_person_is_in_no_dump_and_others_are(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("zerelda.quint@example.org").await;
    let other = given.customer("ottokar.vane@example.org", &owner.tenant_id).await;
    let session = given.login("zerelda.quint@example.org").await;
    given.login("ottokar.vane@example.org").await;
    let till = CreateApiKeyRequest { name: "zerelda.quint's till".to_owned(), role: Role::Staff.into(), expire_time: None };
    let by_her = given.person(&session).call();
    let key = given.auth.create_api_key(&by_her, till).await.unwrap().into_message().api_key.unwrap();
    assert!(is_in(&dump(&given), "zerelda.quint"), "the search finds what is there");

    let subject =
        Subject { tenant: TenantId(Uuid::parse_str(&owner.tenant_id).unwrap()), user: Uuid::parse_str(&owner.id).unwrap() };
    let store = store(&given).await;
    let blobs = weft_mesh::open_blobs(given.mesh.running().config()).unwrap().unwrap();
    // Again, as after a crash.
    for _ in 0..2 {
        weft_auth::domain().erase(&store, Some(&blobs), &system(), subject).await.unwrap();
    }
    let dump = dump(&given);
    assert!(!is_in(&dump, "zerelda.quint"));
    assert!(is_in(&dump, "ottokar.vane"));

    given.login_with("zerelda.quint@example.org", crate::given::PASSWORD).await.unwrap_err();
    let revoked = given.revoked().await;
    assert!(revoked.contains(&session.session_id), "her access tokens are good no more");
    assert!(revoked.contains(&key.id), "a key that she made leads nowhere");
    assert_eq!(given.login("ottokar.vane@example.org").await.user.unwrap().id, other.id);
}
