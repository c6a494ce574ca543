//! Everybody who must not get through, tried as a client of a server of ours and as a server of a client of ours.
//!
//! Who may call is decided by servers, so in the last two rows "as client" is a client of ours that may not: it is told so by
//! name, at its first and only try, and by the connection that it has already. Before that stands the compiler: a domain gets
//! no client of what its contract does not declare (see `weft_mesh::Context::client`).
//!
//! Each cell of the table demands the one error that its condition has; any other is as bad as getting through. Two
//! sabotages show that the table can turn red.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the table is what is proven")]

mod as_client;
mod as_server;
mod authority;
mod lab;
mod table;

use lab::{Lab, Sabotage};
use table::{CONTROL, table};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_not_get_through_is_refused_as_server_and_as_client() {
    let table = table(&Lab::new(None).await).await;
    println!("{table}");
    assert_eq!(table.failed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_skips_the_id_turns_the_table_red() {
    let table = table(&Lab::new(Some(Sabotage::AnyId)).await).await;
    assert_eq!(table.failed(), ["right CA, wrong id / as client"], "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_not_enforced_turn_the_table_red() {
    let table = table(&Lab::new(Some(Sabotage::AuditOnly)).await).await;
    let both = |condition: &str| [format!("{condition} / as server"), format!("{condition} / as client")];
    assert_eq!(table.failed(), [both("caller not in the contract"), both("revoked caller")].concat(), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_refuses_everybody_turns_the_table_red() {
    let lab = Lab::new(None).await;
    lab.deny_all();
    let failed = table(&lab).await.failed();
    for cell in [format!("{CONTROL} / as server"), "caller not in the contract / as server".to_owned()] {
        assert_eq!(failed.contains(&cell), cell.starts_with(CONTROL), "{failed:?}");
    }
}
