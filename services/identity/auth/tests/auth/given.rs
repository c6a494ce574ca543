//! What the tests start from: a mesh with auth, people in it, and their tokens.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use uuid::Uuid;
use weft_contracts_auth::{
    AuthClient, ListKeysRequest, ListRevocationsRequest, ListRevocationsResponse, LoginRequest, LoginResponse, LogoutRequest,
    RefreshRequest, RegisterRequest, User,
};
use weft_mesh::{Principal, Result, TenantId};
use weft_testkit::{Backend, Caller, Mesh};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A mesh with auth alone.
pub(crate) struct Given {
    pub(crate) mesh: Mesh,
    pub(crate) auth: AuthClient,
}

impl Given {
    pub(crate) async fn start(backend: Backend) -> Self {
        let mesh = Mesh::of([weft_auth::domain()]).start(backend).await;
        Self { auth: mesh.client(), mesh }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.mesh.clock().advance(Duration::from_secs(seconds));
    }

    /// Opens an account in a new tenant, as its owner.
    pub(crate) async fn owner(&self, email: &str) -> User {
        self.register(email, "").await.unwrap()
    }

    /// Opens an account in a tenant that is there.
    pub(crate) async fn customer(&self, email: &str, tenant: &str) -> User {
        self.register(email, tenant).await.unwrap()
    }

    pub(crate) async fn register(&self, email: &str, tenant: &str) -> Result<User> {
        let (email, tenant_id) = (email.to_owned(), tenant.to_owned());
        let request = RegisterRequest { email, password: PASSWORD.to_owned(), tenant_id, tenant_name: String::new() };
        Ok(self.auth.register(&self.mesh.anonymous(), request).await?.into_message())
    }

    pub(crate) async fn login(&self, email: &str) -> LoginResponse {
        self.login_with(email, PASSWORD).await.unwrap()
    }

    pub(crate) async fn login_with(&self, email: &str, password: &str) -> Result<LoginResponse> {
        let request = LoginRequest { email: email.to_owned(), password: password.to_owned() };
        Ok(self.auth.login(&self.mesh.anonymous(), request).await?.into_message())
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<LoginResponse> {
        let request = RefreshRequest { refresh_token: token.to_owned() };
        Ok(self.auth.refresh(&self.mesh.anonymous(), request).await?.into_message())
    }

    pub(crate) async fn logout(&self, session: &LoginResponse) -> Result<()> {
        self.auth.logout(&self.person(session).call(), LogoutRequest {}).await?;
        Ok(())
    }

    pub(crate) async fn revocations(&self, after_position: i64) -> ListRevocationsResponse {
        let request = ListRevocationsRequest { after_position };
        self.auth.list_revocations(&self.mesh.anonymous(), request).await.unwrap().into_message()
    }

    /// The sessions that are revoked, as the edge hears of them from the start.
    pub(crate) async fn revoked(&self) -> Vec<String> {
        self.revocations(0).await.revocations.into_iter().map(|revocation| revocation.session_id).collect()
    }

    pub(crate) async fn key_ids(&self) -> Vec<String> {
        let keys = self.auth.list_keys(&self.mesh.anonymous(), ListKeysRequest {}).await.unwrap();
        keys.into_message().keys.into_iter().map(|key| key.kid).collect()
    }

    /// Who a session's access token speaks for, as the edge would vouch for it.
    pub(crate) fn person(&self, session: &LoginResponse) -> Caller {
        let claims = part(&session.token, 1);
        let id = |name: &str| Uuid::parse_str(claims[name].as_str().unwrap()).unwrap();
        let roles: Vec<_> = claims["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned()).collect();
        self.mesh.caller(Principal::User(weft_mesh::User {
            id: id("sub"),
            tenant: TenantId(id("tid")),
            session: id("sid"),
            roles: roles.into(),
            epoch: claims["epoch"].as_u64().unwrap(),
        }))
    }
}

/// Part 0 or 1 of a JWT: its header or its claims, unverified.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
