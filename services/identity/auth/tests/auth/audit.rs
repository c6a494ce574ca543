//! Who did what, and who tried to.

use std::time::Duration;

use secrecy::ExposeSecret;
use weft_contracts_auth::{AssignRoleRequest, Role};
use weft_contracts_mesh::{AuditOutcome, AuditRecorded};
use weft_mesh::{
    Call, CallBuilder, Clock, Scope, TopicPattern,
    events::log::{self, Wanted},
    store::{Databases, Settings, Store},
};
use weft_testkit::{Backend, on_both};

use crate::given::Given;

on_both!(
    a_call_that_changes_something_leaves_one_record,
    a_call_that_is_refused_leaves_one_too,
    records_outlive_other_events_until_they_are_released,
);

/// Auth's own store, beside the mesh.
pub(crate) async fn store(given: &Given) -> Store {
    let config = given.mesh.running().config();
    let settings = match &config.database.url {
        Some(url) => Settings::postgres(url.expose_secret().to_owned().into()),
        None => Settings::sqlite(&config.data_dir),
    };
    let domain = weft_auth::domain();
    Databases::open(&settings).await.unwrap().store(domain.schema()).await.unwrap()
}

pub(crate) fn system() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::System("a test looks at all tenants");
    parts.build()
}

/// The records, once there are so many.
async fn records(given: &Given, count: usize) -> Vec<AuditRecorded> {
    let store = store(given).await;
    let wanted = Wanted { pattern: TopicPattern::parse("events.audit.*").unwrap(), tenant: None };
    for _ in 0..1000 {
        let found = log::matching(&store, &system(), &wanted, 0, 1000).await.unwrap();
        if found.len() >= count {
            assert_eq!(found.len(), count, "{found:?}");
            return found.iter().map(|event| event.message().unwrap()).collect();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} records are awaited");
}

async fn a_call_that_changes_something_leaves_one_record(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let customer = given.customer("bob@example.org", &owner.tenant_id).await;
    let session = given.login("ann@example.org").await;
    let request = AssignRoleRequest { user_id: customer.id.clone(), role: Role::Staff.into() };
    let call = given.person(&session).call();
    given.auth.assign_role(&call, request).await.unwrap();
    let records = records(&given, 4).await;
    let told: Vec<_> = records.iter().map(|record| (record.action.as_str(), record.resource.clone())).collect();
    assert_eq!(
        told,
        [
            ("/weft.auth.v1.Auth/Register", format!("users/{}", owner.id)),
            ("/weft.auth.v1.Auth/Register", format!("users/{}", customer.id)),
            ("/weft.auth.v1.Auth/Login", format!("sessions/{} of users/{}", session.session_id, owner.id)),
            ("/weft.auth.v1.Auth/AssignRole", format!("users/{}", customer.id)),
        ]
    );
    let actors: Vec<_> = records.iter().map(|record| record.actor.clone()).collect();
    assert_eq!(actors, ["anonymous", "anonymous", "anonymous", &format!("user:{}", owner.id)]);
    for record in &records {
        assert_eq!((record.outcome(), record.caller.as_str(), record.reason.as_str()), (AuditOutcome::Done, "edge", ""));
        assert!(record.time.is_some() && !record.request_id.is_empty());
    }
}

async fn a_call_that_is_refused_leaves_one_too(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let customer = given.customer("bob@example.org", &owner.tenant_id).await;
    given.login_with("ann@example.org", "wrong").await.unwrap_err();
    let session = given.login("bob@example.org").await;
    let request = AssignRoleRequest { user_id: customer.id.clone(), role: Role::Owner.into() };
    given.auth.assign_role(&given.person(&session).call(), request).await.unwrap_err();
    let refused = records(&given, 5).await.into_iter().filter(|record| record.outcome() == AuditOutcome::Refused);
    let told: Vec<_> = refused.map(|record| (record.action, record.actor, record.reason)).collect();
    let login = ("/weft.auth.v1.Auth/Login".to_owned(), "anonymous".to_owned(), "LOGIN_FAILED".to_owned());
    let role = ("/weft.auth.v1.Auth/AssignRole".to_owned(), format!("user:{}", customer.id), "PERMISSION_MISSING".to_owned());
    assert_eq!(told, [login, role]);
}

async fn records_outlive_other_events_until_they_are_released(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    records(&given, 1).await;
    let all = Wanted { pattern: TopicPattern::parse("*").unwrap(), tenant: None };
    let store = store(&given).await;
    given.pass(60 * 60 * 24 * 365);
    // Once the relay has recorded that they are sent.
    for _ in 0..500 {
        given.mesh.run_job("auth", "expire_events").await;
        if log::matching(&store, &system(), &all, 0, 100).await.unwrap().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = log::matching(&store, &system(), &all, 0, 100).await.unwrap();
    assert_eq!(left.iter().map(|event| event.topic.as_str()).collect::<Vec<_>>(), ["events.audit.recorded"]);
    assert_eq!(store.release_audit(&system(), left[0].position).await.unwrap(), 1);
    assert!(log::matching(&store, &system(), &all, 0, 100).await.unwrap().is_empty());
}
