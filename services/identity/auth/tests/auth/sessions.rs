//! Sessions: how they are refreshed, and how they end.

use std::{collections::BTreeSet, sync::Arc};

use weft_contracts_auth::AuthReason;
use weft_mesh::{Code, MeshReason};
use weft_testkit::{Backend, on_both};

use crate::given::Given;

const DAY: u64 = 24 * 60 * 60;

on_both!(
    a_refresh_replaces_the_token,
    a_token_replaced_within_the_grace_leads_to_the_live_one,
    a_token_shown_after_the_grace_ends_its_session_and_no_other,
    eight_tabs_that_refresh_at_once_share_one_live_token,
    a_token_that_nobody_issued_is_refused_and_ends_nothing,
    a_session_refreshed_without_end_is_slowed_down,
    a_logout_ends_its_session_and_no_other,
    a_logout_needs_a_user,
    sixteen_logouts_at_once_all_succeed,
    a_session_ends_with_its_time_and_is_forgotten,
    a_revocation_is_told_until_it_is_settled_and_forgotten_when_it_does_not_matter,
    revocations_are_for_the_edge_alone,
);

async fn a_refresh_replaces_the_token(backend: Backend) {
    let given = Given::start(backend).await;
    let user = given.owner("ann@example.org").await;
    let mut session = given.login("ann@example.org").await;
    let mut seen = BTreeSet::from([session.refresh_token.clone()]);
    for _ in 0..3 {
        given.pass(600);
        let next = given.refresh(&session.refresh_token).await.unwrap();
        assert_eq!((&next.session_id, next.user.as_ref()), (&session.session_id, Some(&user)));
        assert_ne!(next.token, session.token);
        assert!(seen.insert(next.refresh_token.clone()), "each token is new");
        session = next;
    }
}

async fn a_token_replaced_within_the_grace_leads_to_the_live_one(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let first = given.login("ann@example.org").await.refresh_token;
    let second = given.refresh(&first).await.unwrap().refresh_token;
    given.pass(5);
    let third = given.refresh(&second).await.unwrap().refresh_token;
    given.pass(5);
    for shown in [&first, &second] {
        assert_eq!(given.refresh(shown).await.unwrap().refresh_token, third);
    }
    given.refresh(&third).await.unwrap();
    assert!(given.revoked().await.is_empty());
}

async fn a_token_shown_after_the_grace_ends_its_session_and_no_other(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let (stolen, other) = (given.login("ann@example.org").await, given.login("ann@example.org").await);
    let live = given.refresh(&stolen.refresh_token).await.unwrap();
    given.pass(11);
    let error = given.refresh(&stolen.refresh_token).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::RefreshTokenReused));
    for dead in [&live.refresh_token, &stolen.refresh_token] {
        let error = given.refresh(dead).await.unwrap_err();
        assert_eq!(error.reason(), Some(AuthReason::RefreshTokenInvalid));
    }
    assert_eq!(given.revoked().await, [stolen.session_id]);
    given.refresh(&other.refresh_token).await.unwrap();
}

async fn eight_tabs_that_refresh_at_once_share_one_live_token(backend: Backend) {
    let given = Arc::new(Given::start(backend).await);
    given.owner("ann@example.org").await;
    let mut token = given.login("ann@example.org").await.refresh_token;
    for _ in 0..3 {
        given.pass(600);
        let tabs: Vec<_> = (0..8)
            .map(|_| {
                let (given, token) = (Arc::clone(&given), token.clone());
                tokio::spawn(async move { given.refresh(&token).await })
            })
            .collect();
        let mut got = BTreeSet::new();
        for tab in tabs {
            got.insert(tab.await.unwrap().unwrap().refresh_token);
        }
        assert_eq!(got.len(), 1, "all tabs hold the same token");
        token = got.pop_first().unwrap();
    }
    given.refresh(&token).await.unwrap();
    assert!(given.revoked().await.is_empty());
}

async fn a_token_that_nobody_issued_is_refused_and_ends_nothing(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let session = given.login("ann@example.org").await;
    let other = given.login("ann@example.org").await;
    // The first half names the session: another first half is another, unknown session.
    let foreign = format!("{}{}", &"A".repeat(43), &session.refresh_token[43..]);
    for token in ["x", &"A".repeat(86), &foreign, &session.session_id, &session.token[..86]] {
        let error = given.refresh(token).await.unwrap_err();
        assert_eq!(error.reason(), Some(AuthReason::RefreshTokenInvalid), "{token}");
    }
    for session in [session, other] {
        given.refresh(&session.refresh_token).await.unwrap();
    }
}

async fn a_session_refreshed_without_end_is_slowed_down(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let mut token = given.login("ann@example.org").await.refresh_token;
    for _ in 0..64 {
        token = given.refresh(&token).await.unwrap().refresh_token;
    }
    let error = given.refresh(&token).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::TooBusy));
    given.pass(error.retry_after().unwrap().as_secs() + 1);
    given.refresh(&token).await.unwrap();
}

async fn a_logout_ends_its_session_and_no_other(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let (ended, other) = (given.login("ann@example.org").await, given.login("ann@example.org").await);
    given.logout(&ended).await.unwrap();
    given.logout(&ended).await.unwrap();
    let error = given.refresh(&ended.refresh_token).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::RefreshTokenInvalid));
    assert_eq!(given.revoked().await, [ended.session_id]);
    given.refresh(&other.refresh_token).await.unwrap();
}

async fn a_logout_needs_a_user(backend: Backend) {
    let given = Given::start(backend).await;
    let error = given.auth.logout(&given.mesh.anonymous(), weft_contracts_auth::LogoutRequest {}).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
}

async fn sixteen_logouts_at_once_all_succeed(backend: Backend) {
    let given = Arc::new(Given::start(backend).await);
    given.owner("ann@example.org").await;
    let mut sessions = Vec::new();
    for _ in 0..16 {
        sessions.push(given.login("ann@example.org").await);
    }
    let expected: BTreeSet<_> = sessions.iter().map(|session| session.session_id.clone()).collect();
    let logouts: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let given = Arc::clone(&given);
            tokio::spawn(async move { given.logout(&session).await })
        })
        .collect();
    for logout in logouts {
        logout.await.unwrap().unwrap();
    }
    assert_eq!(given.revoked().await.into_iter().collect::<BTreeSet<_>>(), expected);
}

async fn a_session_ends_with_its_time_and_is_forgotten(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let token = given.login("ann@example.org").await.refresh_token;
    given.pass(29 * DAY);
    let later = given.login("ann@example.org").await.refresh_token;
    // A refresh does not make the session longer.
    let token = given.refresh(&token).await.unwrap().refresh_token;
    given.pass(DAY);
    for _ in 0..2 {
        let error = given.refresh(&token).await.unwrap_err();
        assert_eq!(error.reason(), Some(AuthReason::RefreshTokenInvalid));
        given.mesh.run_job("auth", "expire_sessions").await;
    }
    given.refresh(&later).await.unwrap();
}

async fn a_revocation_is_told_until_it_is_settled_and_forgotten_when_it_does_not_matter(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let session = given.login("ann@example.org").await;
    assert!(given.revocations(0).await.revocations.is_empty());
    given.logout(&session).await.unwrap();
    let told = given.revocations(0).await;
    assert_eq!(told.revocations.len(), 1);
    // One that was committed a little later must not be missed, so the moment is asked for again.
    let again = given.revocations(told.position).await;
    assert_eq!(again.revocations, told.revocations);
    given.pass(31);
    let settled = given.revocations(again.position).await.position;
    assert!(given.revocations(settled).await.revocations.is_empty());
    assert_eq!(given.revoked().await, [session.session_id]);
    // The session's last access token has expired.
    given.pass(11 * 60);
    assert!(given.revoked().await.is_empty());
    given.mesh.run_job("auth", "expire_sessions").await;
    assert!(given.revocations(0).await.position >= settled);
}

async fn revocations_are_for_the_edge_alone(backend: Backend) {
    let given = Given::start(backend).await;
    let own: weft_contracts_auth::AuthClient = given.mesh.client_as("auth");
    let request = weft_contracts_auth::ListRevocationsRequest { after_position: 0 };
    let error = own.list_revocations(&given.mesh.anonymous(), request).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CallerNotAllowed));
}
