//! API keys: who makes them, what is told of them, and until when they are good.

use std::time::SystemTime;

use ring::digest;
use weft_contracts_auth::{
    ApiKey, AuthReason, CreateApiKeyRequest, CreateApiKeyResponse, ExchangeApiKeyRequest, ExchangeApiKeyResponse,
    ListApiKeysRequest, LoginResponse, RevokeApiKeyRequest, Role,
};
use weft_mesh::{Call, Code, MeshReason, Result};
use weft_testkit::{Backend, on_both};

use crate::given::Given;

on_both!(
    a_key_is_told_once_and_leads_to_its_tenant_and_role,
    only_owners_who_logged_in_make_list_and_revoke_keys,
    a_key_that_is_revoked_or_has_ended_is_good_for_nothing,
    another_tenants_keys_are_out_of_reach,
    a_tenant_has_a_hundred_keys_at_most,
    keys_are_looked_up_by_the_edge_alone,
);

fn request(role: Role) -> CreateApiKeyRequest {
    CreateApiKeyRequest { name: "the till".to_owned(), role: role.into(), expire_time: None }
}

async fn create(given: &Given, call: &Call, request: CreateApiKeyRequest) -> Result<CreateApiKeyResponse> {
    Ok(given.auth.create_api_key(call, request).await?.into_message())
}

async fn list(given: &Given, by: &LoginResponse) -> Vec<ApiKey> {
    given.auth.list_api_keys(&given.person(by).call(), ListApiKeysRequest {}).await.unwrap().into_message().api_keys
}

async fn revoke(given: &Given, by: &LoginResponse, id: &str) {
    let request = RevokeApiKeyRequest { id: id.to_owned() };
    given.auth.revoke_api_key(&given.person(by).call(), request).await.unwrap();
}

async fn exchange(given: &Given, secret: &str) -> Result<ExchangeApiKeyResponse> {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().to_vec().into();
    Ok(given.auth.exchange_api_key(&given.mesh.anonymous(), ExchangeApiKeyRequest { digest }).await?.into_message())
}

async fn a_key_is_told_once_and_leads_to_its_tenant_and_role(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    let ann = given.login("ann@example.org").await;
    let made = create(&given, &given.person(&ann).call(), request(Role::Staff)).await.unwrap();
    let key = made.api_key.unwrap();
    assert_eq!((key.name.as_str(), key.role(), &key.creator_id), ("the till", Role::Staff, &owner.id));
    assert_eq!(list(&given, &ann).await, std::slice::from_ref(&key));
    let told = exchange(&given, &made.secret).await.unwrap();
    assert_eq!((told.id.clone(), told.tenant_id.clone(), told.role()), (key.id, owner.tenant_id, Role::Staff));
    let guessed = exchange(&given, "weft_key_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.unwrap_err();
    assert_eq!(guessed.reason(), Some(AuthReason::ApiKeyInvalid));
}

async fn only_owners_who_logged_in_make_list_and_revoke_keys(backend: Backend) {
    let given = Given::start(backend).await;
    let owner = given.owner("ann@example.org").await;
    given.customer("bob@example.org", &owner.tenant_id).await;
    let bob = given.person(&given.login("bob@example.org").await).call();
    let tenant = weft_mesh::TenantId(owner.tenant_id.parse().unwrap());
    let refused = [
        create(&given, &bob, request(Role::Customer)).await.map(drop),
        given.auth.list_api_keys(&bob, ListApiKeysRequest {}).await.map(drop),
        given.auth.revoke_api_key(&bob, RevokeApiKeyRequest { id: owner.id.clone() }).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().reason(), Some(MeshReason::PermissionMissing));
    }
    // Even a key with all permissions makes no other.
    let account = given.mesh.service_account(tenant, "owner").call();
    assert_eq!(create(&given, &account, request(Role::Staff)).await.unwrap_err().code(), Code::Unauthenticated);
    let ann = given.person(&given.login("ann@example.org").await).call();
    let unsaid = create(&given, &ann, request(Role::Unspecified)).await.unwrap_err();
    assert_eq!(unsaid.reason(), Some(MeshReason::ValidationFailed));
    let past = CreateApiKeyRequest { expire_time: Some(SystemTime::UNIX_EPOCH.into()), ..request(Role::Staff) };
    assert_eq!(create(&given, &ann, past).await.unwrap_err().violations()[0].field, "expire_time");
}

async fn a_key_that_is_revoked_or_has_ended_is_good_for_nothing(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let ann = given.login("ann@example.org").await;
    let call = given.person(&ann).call();
    let lasting = create(&given, &call, request(Role::Staff)).await.unwrap();
    let end = SystemTime::from(given.mesh.clock().now() + chrono::TimeDelta::minutes(5));
    let ending = create(&given, &call, CreateApiKeyRequest { expire_time: Some(end.into()), ..request(Role::Staff) });
    let ending = ending.await.unwrap();
    assert!(exchange(&given, &ending.secret).await.unwrap().expire_time.is_some());
    given.pass(300);
    assert_eq!(exchange(&given, &ending.secret).await.unwrap_err().reason(), Some(AuthReason::ApiKeyInvalid));
    let id = lasting.api_key.unwrap().id;
    exchange(&given, &lasting.secret).await.unwrap();
    for _ in 0..2 {
        revoke(&given, &ann, &id).await;
        assert_eq!(exchange(&given, &lasting.secret).await.unwrap_err().reason(), Some(AuthReason::ApiKeyInvalid));
    }
    // The edges hear of it as they do of sessions that ended.
    assert_eq!(given.revoked().await, [id]);
    assert_eq!(list(&given, &ann).await, [ending.api_key.unwrap()]);
}

async fn another_tenants_keys_are_out_of_reach(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    given.owner("eve@example.org").await;
    let (ann, eve) = (given.login("ann@example.org").await, given.login("eve@example.org").await);
    let made = create(&given, &given.person(&ann).call(), request(Role::Owner)).await.unwrap();
    assert_eq!(list(&given, &eve).await, []);
    revoke(&given, &eve, &made.api_key.unwrap().id).await;
    exchange(&given, &made.secret).await.unwrap();
    assert!(given.revoked().await.is_empty());
}

async fn a_tenant_has_a_hundred_keys_at_most(backend: Backend) {
    let given = Given::start(backend).await;
    given.owner("ann@example.org").await;
    let ann = given.login("ann@example.org").await;
    let call = given.person(&ann).call();
    let mut made = Vec::new();
    for _ in 0..100 {
        made.push(create(&given, &call, request(Role::Staff)).await.unwrap());
    }
    let error = create(&given, &call, request(Role::Staff)).await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::TooManyApiKeys));
    revoke(&given, &ann, &made[0].api_key.as_ref().unwrap().id).await;
    create(&given, &call, request(Role::Staff)).await.unwrap();
}

async fn keys_are_looked_up_by_the_edge_alone(backend: Backend) {
    let given = Given::start(backend).await;
    let own: weft_contracts_auth::AuthClient = given.mesh.client_as("auth");
    let request = ExchangeApiKeyRequest { digest: vec![0; 32].into() };
    let error = own.exchange_api_key(&given.mesh.anonymous(), request).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::CallerNotAllowed));
}
