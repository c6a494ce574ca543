//! Opening accounts.

use uuid::Uuid;
use weft_contracts_auth::{AuthReason, RegisterRequest, Role};
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Given, PASSWORD, part};

on_both!(
    a_registered_person_owns_a_tenant_and_logs_in_by_any_spelling,
    an_address_has_one_account_in_the_whole_installation,
    who_joins_a_tenant_is_its_customer,
    a_tenant_that_does_not_exist_cannot_be_joined,
    twins_who_register_at_once_make_one_account,
    a_bad_request_is_refused_by_the_name_of_its_field,
);

async fn a_registered_person_owns_a_tenant_and_logs_in_by_any_spelling(backend: Backend) {
    let given = Given::start(backend).await;
    let request = RegisterRequest { email: "Ann@Example.org".to_owned(), password: PASSWORD.to_owned(), ..Default::default() };
    let reply = given.auth.register(&given.mesh.anonymous(), request).await.unwrap();
    let user = reply.message;
    assert_eq!(reply.status, Some(201));
    assert_eq!(reply.headers["location"], format!("/api/v1/users/{}", user.id));
    assert_eq!((user.email.as_str(), user.role()), ("ann@example.org", Role::Owner));
    let session = given.login(" ANN@example.ORG ").await;
    assert_eq!(session.user.unwrap(), user);
    assert_eq!((session.token_type.as_str(), session.expires_in), ("Bearer", 600));
    assert_eq!(part(&session.token, 1)["tid"], user.tenant_id);
}

async fn an_address_has_one_account_in_the_whole_installation(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let other = given.owner("bob@example.org").await;
    for tenant in ["", &other.tenant_id] {
        let error = given.register("ANN@example.org", tenant).await.unwrap_err();
        assert_eq!(error.reason(), Some(AuthReason::EmailTaken));
    }
}

async fn who_joins_a_tenant_is_its_customer(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let joined = given.customer("bob@example.org", &owner.tenant_id).await;
    assert_eq!((joined.role(), &joined.tenant_id), (Role::Customer, &owner.tenant_id));
    assert_eq!(part(&given.login("bob@example.org").await.token, 1)["roles"], serde_json::json!(["customer"]));
}

async fn a_tenant_that_does_not_exist_cannot_be_joined(backend: Backend) {
    let given = Given::start(backend).await;
    let error = given.register("ann@example.org", &Uuid::now_v7().to_string()).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::TenantNotFound));
    // Nothing was written: the address is free.
    given.owner("ann@example.org").await;
}

async fn twins_who_register_at_once_make_one_account(backend: Backend) {
    let given = std::sync::Arc::new(Given::start(backend).await);
    let twins: Vec<_> = (0..8)
        .map(|_| {
            let given = std::sync::Arc::clone(&given);
            tokio::spawn(async move { given.register("ann@example.org", "").await })
        })
        .collect();
    let mut made = 0;
    for twin in twins {
        match twin.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.reason(), Some(AuthReason::EmailTaken), "{error:?}"),
        }
    }
    assert_eq!(made, 1);
}

async fn a_bad_request_is_refused_by_the_name_of_its_field(backend: Backend) {
    let given = Given::start(backend).await;
    let good = RegisterRequest { email: "ann@example.org".to_owned(), password: PASSWORD.to_owned(), ..Default::default() };
    let bad = [
        ("email", RegisterRequest { email: "ann".to_owned(), ..good.clone() }),
        ("email", RegisterRequest { email: format!("{}@example.org", "a".repeat(300)), ..good.clone() }),
        ("password", RegisterRequest { password: "short".to_owned(), ..good.clone() }),
        ("password", RegisterRequest { password: "x".repeat(1025), ..good.clone() }),
        ("tenant_id", RegisterRequest { tenant_id: "mine".to_owned(), ..good.clone() }),
        ("tenant_name", RegisterRequest { tenant_name: "x".repeat(201), ..good.clone() }),
    ];
    for (field, request) in bad {
        let error = given.auth.register(&given.mesh.anonymous(), request).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::ValidationFailed), "{error:?}");
        assert_eq!(error.violations().first().map(|violation| violation.field.as_str()), Some(field));
        assert!(!format!("{error:?}").contains(PASSWORD));
    }
    given.owner("ann@example.org").await;
}
