//! Roles, and who may give them.

use weft_contracts_auth::{AssignRoleRequest, AuthReason, LoginResponse, Role, User};
use weft_mesh::{MeshReason, Result};
use weft_testkit::{Backend, on_both};

use crate::given::{Given, part};

on_both!(
    an_owner_gives_a_role_and_the_next_refresh_carries_it,
    only_owners_give_roles,
    a_tenant_keeps_its_last_owner,
    owners_who_depose_each_other_at_once_leave_one,
    another_tenants_account_is_not_found,
);

async fn assign(given: &Given, by: &LoginResponse, user: &User, role: Role) -> Result<User> {
    let request = AssignRoleRequest { user_id: user.id.clone(), role: role.into() };
    Ok(given.auth.assign_role(&given.person(by).call(), request).await?.into_message())
}

async fn an_owner_gives_a_role_and_the_next_refresh_carries_it(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let customer = given.customer("bob@example.org", &owner.tenant_id).await;
    let (ann, bob) = (given.login("ann@example.org").await, given.login("bob@example.org").await);
    let changed = assign(&given, &ann, &customer, Role::Staff).await.unwrap();
    assert_eq!((changed.role(), &changed.id), (Role::Staff, &customer.id));
    let refreshed = given.refresh(&bob.refresh_token).await.unwrap();
    let (before, after) = (part(&bob.token, 1), part(&refreshed.token, 1));
    assert_eq!(after["roles"], serde_json::json!(["staff"]));
    assert_eq!(after["epoch"].as_i64(), before["epoch"].as_i64().map(|epoch| epoch + 1));
    // The same again changes nothing.
    assert_eq!(assign(&given, &ann, &customer, Role::Staff).await.unwrap(), changed);
    let again = given.refresh(&refreshed.refresh_token).await.unwrap();
    assert_eq!(part(&again.token, 1)["epoch"], after["epoch"]);
}

async fn only_owners_give_roles(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let customer = given.customer("bob@example.org", &owner.tenant_id).await;
    let ann = given.login("ann@example.org").await;
    for role in [Role::Customer, Role::Staff] {
        assign(&given, &ann, &customer, role).await.unwrap();
        let bob = given.login("bob@example.org").await;
        let error = assign(&given, &bob, &customer, Role::Owner).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::PermissionMissing), "{error:?}");
    }
}

async fn a_tenant_keeps_its_last_owner(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let other = given.customer("bob@example.org", &owner.tenant_id).await;
    let ann = given.login("ann@example.org").await;
    let error = assign(&given, &ann, &owner, Role::Staff).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::LastOwner));
    assign(&given, &ann, &owner, Role::Owner).await.unwrap();
    assign(&given, &ann, &other, Role::Owner).await.unwrap();
    assign(&given, &ann, &owner, Role::Staff).await.unwrap();
}

async fn owners_who_depose_each_other_at_once_leave_one(backend: Backend) {
    let given = Given::start(backend).await;
    let first = given.owner("ann@example.org").await;
    let second = given.customer("bob@example.org", &first.tenant_id).await;
    let ann = given.login("ann@example.org").await;
    assign(&given, &ann, &second, Role::Owner).await.unwrap();
    let bob = given.login("bob@example.org").await;
    let (one, two) = tokio::join!(assign(&given, &ann, &second, Role::Staff), assign(&given, &bob, &first, Role::Staff));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|done| **done).count(), 1, "{one:?} {two:?}");
    let error = one.err().or(two.err()).unwrap();
    assert_eq!(error.reason(), Some(AuthReason::LastOwner));
}

async fn another_tenants_account_is_not_found(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let stranger = given.owner("eve@example.org").await;
    let ann = given.login("ann@example.org").await;
    let error = assign(&given, &ann, &stranger, Role::Customer).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::UserNotFound));
    let eve = given.login("eve@example.org").await;
    assert_eq!(eve.user.unwrap().role(), Role::Owner);
}
