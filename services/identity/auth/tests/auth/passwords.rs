//! Checking passwords.

use std::sync::Arc;

use weft_contracts_auth::AuthReason;
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Given, PASSWORD};

on_both!(a_wrong_password_and_an_unknown_address_get_the_same_bytes, beyond_what_can_be_checked_logins_are_told_to_come_back,);

async fn a_wrong_password_and_an_unknown_address_get_the_same_bytes(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let wrong = given.login_with("ann@example.org", "wrong horse").await.unwrap_err();
    let unknown = given.login_with("eve@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(wrong.reason(), Some(AuthReason::LoginFailed));
    let bytes = |error| weft_mesh::call::status::encode(error, None);
    assert_eq!(bytes(&wrong), bytes(&unknown));
}

async fn beyond_what_can_be_checked_logins_are_told_to_come_back(backend: Backend) {
    let given = Arc::new(Given::start(backend).await);
    given.owner("ann@example.org").await;
    let logins: Vec<_> = (0..200)
        .map(|_| {
            let given = Arc::clone(&given);
            tokio::spawn(async move { given.login_with("ann@example.org", "wrong horse").await })
        })
        .collect();
    let (mut taken, mut checked, mut busy) = (0, 0, 0);
    for login in logins {
        let error = login.await.unwrap().unwrap_err();
        // Whom the domain takes in it checks, unless a slow machine does not come to it within the call's deadline.
        let is_checked = error.reason() == Some(AuthReason::LoginFailed);
        if is_checked || error.reason() == Some(MeshReason::DeadlineSpent) {
            taken += 1;
            checked += u32::from(is_checked);
            continue;
        }
        // The domain turns away what it cannot check; and the mesh, seeing that, what would wait for the domain too long.
        let is_turned_away = error.reason() == Some(AuthReason::TooBusy) || error.reason() == Some(MeshReason::Overloaded);
        assert!(is_turned_away && error.retry_after().is_some(), "{error:?}");
        busy += 1;
    }
    assert!(taken >= 64 && checked > 0 && busy > 0, "{taken} taken in, {checked} checked, {busy} turned away");
    given.login("ann@example.org").await;
}
