//! What auth does when it is called.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weft_contracts_auth::{
    self as contract, AssignRoleRequest, Avatar, CreateApiKeyRequest, CreateApiKeyResponse, DeleteAvatarRequest,
    DownloadAvatarRequest, ExchangeApiKeyRequest, ExchangeApiKeyResponse, GetAvatarRequest, KeySet, ListApiKeysRequest,
    ListApiKeysResponse, ListKeysRequest, ListRevocationsRequest, ListRevocationsResponse, LoginRequest, LoginResponse,
    LogoutRequest, RefreshRequest, RegisterRequest, Revocation, RevokeApiKeyRequest, Role, User,
};
use weft_mesh::{
    Call, HttpBody, Reply, Result, Streaming, TenantId,
    blob::Blobs,
    seal::Sealer,
    store::{Read, Statement, Store, Tx},
};

use crate::{
    access_token::{self, Subject},
    email::EmailAddress,
    error::AuthError,
    first_administrator::Seen,
    hasher::{Hasher, Verified},
    keys::Keys,
    news,
    password::{Password, PasswordError},
    refresh_token::RefreshToken,
    role,
    session::{self, Live, Refresh},
    settings::Settings,
    signing_key::KeyRing,
    store::{self, RevocationRow, SessionPlace, SessionRow, UserRow},
};

/// A revocation can be committed later than its time says, by a replica whose clock is behind: this
/// much of the past is told again and again.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(30);
/// Revocations in one answer.
const MAX_REVOCATIONS: i64 = 10_000;
/// How long a revocation outlives the last access token of its session: clocks differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The handler of auth.
pub(crate) struct Auth {
    store: Store,
    blobs: Option<Blobs>,
    settings: Settings,
    hasher: Hasher,
    keys: Keys,
    first_administrator: Seen,
}

/// What a refresh came to.
enum Refreshed {
    Granted { user: UserRow, token: RefreshToken },
    Reused,
}

impl Auth {
    pub(crate) fn new(
        store: Store,
        settings: Settings,
        sealer: Option<Sealer>,
        blobs: Option<Blobs>,
    ) -> Result<Self, PasswordError> {
        let hasher = Hasher::new(settings.max_parallel_hashes)?;
        Ok(Self { keys: Keys::new(store.clone(), sealer), store, blobs, settings, hasher, first_administrator: Seen::default() })
    }

    /// Deletes sessions and revocations whose time is over, some at a time.
    pub(crate) async fn expire(&self, call: &Call) -> Result<()> {
        self.delete_all(call, &store::EXPIRE_SESSIONS).await?;
        self.delete_all(call, &store::EXPIRE_REVOCATIONS).await?;
        Ok(())
    }

    /// Makes the next signing key when it is due and forgets those that nobody needs.
    pub(crate) async fn rotate_signing_keys(&self, call: &Call) -> Result<()> {
        Ok(self.keys.rotate(call, self.settings.access_token_ttl).await?)
    }

    /// Waits until the first administrator has an account.
    async fn ensure_first_administrator(&self, call: &Call) -> Result<(), AuthError> {
        let open = async |call: Call, request| Box::pin(self.open_account(&call, request)).await.map(drop);
        self.first_administrator.ensure(self.settings.first_administrator.as_ref(), (&self.store, call), open).await
    }

    async fn delete_all(&self, call: &Call, statement: &'static Statement) -> Result<(), AuthError> {
        let batch = async |tx: Tx| Ok(tx.run(statement).bind(call.now()).execute().await?);
        while self.store.transact(call, batch).await? == store::EXPIRE_BATCH {}
        Ok(())
    }

    /// Opens an account in a tenant of its own, or as a customer of the one that is named.
    async fn open_account(&self, call: &Call, request: RegisterRequest) -> Result<User, AuthError> {
        let password = Password::new(request.password);
        let email = EmailAddress::normalised(&request.email);
        let joins = !request.tenant_id.is_empty();
        let tenant = if joins { parse_id("tenant_id", &request.tenant_id)? } else { Uuid::now_v7() };
        let call = call.in_tenant(TenantId(tenant))?;
        let password_hash = self.hasher.hash(password).await?;
        let (role, now) = (if joins { "customer" } else { "owner" }, call.now());
        let email = email.as_str().to_owned();
        let user = UserRow { id: Uuid::now_v7(), tenant_id: tenant, email, role: role.to_owned(), epoch: 1, create_time: now };
        let tenant_name = Some(request.tenant_name.trim()).filter(|name| !name.is_empty()).unwrap_or(&user.email);
        let open = async |tx: Tx| {
            if !joins {
                tx.run(&store::INSERT_TENANT).bind(tenant_name).bind(now).execute().await?;
            } else if tx.run(&store::COUNT_TENANT).fetch_value::<i64>().await? == 0 {
                return Err(AuthError::TenantNotFound.into());
            }
            if !store::insert_user(&tx, &user, &password_hash).await? {
                return Err(AuthError::EmailTaken.into());
            }
            tx.audit::<User>(&account(user.id), None, None)?;
            if !joins {
                tx.publish(&news::tenant_created(&user)).await?;
            }
            Ok(tx.publish(&news::user_registered(&user)?).await?)
        };
        self.store.write(&call, open).await?;
        user.into_user()
    }

    async fn start_session(&self, call: &Call, request: LoginRequest) -> Result<LoginResponse, AuthError> {
        let password = Password::new(request.password);
        let email = EmailAddress::normalised(&request.email);
        let account = self.store.read(call, async |read: Read| Ok(store::find_account(&read, &email).await?)).await?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let verified = self.hasher.verify(password, stored).await?;
        let (Some(account), Verified::Right { rehashed }) = (account, verified) else { return Err(AuthError::LoginFailed) };
        let keys = self.keys.signing(call).await?;
        let call = call.in_tenant(TenantId(account.tenant_id))?;
        let (session, token, now) = (Uuid::now_v7(), RefreshToken::fresh()?, call.now());
        let lifetime = (now, now + self.settings.session_ttl);
        let start = async |tx: Tx| {
            let user = store::get_user(&tx, account.id).await?.ok_or(AuthError::LoginFailed)?;
            if let Some(new) = &rehashed {
                let run = tx.run(&store::REPLACE_PASSWORD_HASH).bind(account.id).bind(&account.password_hash).bind(new);
                run.execute().await?;
            }
            store::insert_session(&tx, session, account.id, &token, lifetime).await?;
            tx.audit::<User>(&format!("sessions/{session} of {}", self::account(account.id)), None, None)?;
            tx.publish(&news::user_logged_in(&user, session, now)).await?;
            Ok(user)
        };
        let user = self.store.transact(&call, start).await?;
        self.tokens(&keys, user, session, &token, now)
    }

    async fn continue_session(&self, call: &Call, request: &RefreshRequest) -> Result<LoginResponse, AuthError> {
        let token = RefreshToken::parse(&request.refresh_token).ok_or(AuthError::RefreshTokenInvalid)?;
        let family = token.family_fingerprint();
        let place = self.store.read(call, async |read: Read| Ok(store::find_session(&read, family).await?)).await?;
        let SessionPlace { tenant_id, id } = place.ok_or(AuthError::RefreshTokenInvalid)?;
        let keys = self.keys.signing(call).await?;
        let call = call.in_tenant(TenantId(tenant_id))?;
        let refresh = async |tx: Tx| {
            tx.audit::<User>(&format!("sessions/{id}"), None, None)?;
            Ok(self.refresh_in(&tx, id, &token, call.now()).await?)
        };
        match self.store.transact(&call, refresh).await? {
            Refreshed::Granted { user, token } => self.tokens(&keys, user, id, &token, call.now()),
            Refreshed::Reused => Err(AuthError::RefreshTokenReused),
        }
    }

    /// The part of a refresh that happens at once. Reuse is no error here, because the end of the
    /// session is to be kept.
    async fn refresh_in(&self, tx: &Tx, id: Uuid, token: &RefreshToken, now: DateTime<Utc>) -> Result<Refreshed, AuthError> {
        let session: Option<SessionRow> = tx.run(&store::GET_SESSION).bind(id).fetch_optional().await?;
        let session = session.ok_or(AuthError::RefreshTokenInvalid)?;
        let replaced = store::list_replaced(tx, id, now).await?;
        let live = Live { secret_hash: &session.secret_hash, expire_time: session.expire_time };
        let token = match session::refresh(token, &live, &replaced, now) {
            Refresh::Rotate => store::rotate(tx, id, token, now).await?,
            Refresh::Successor(live) => live,
            Refresh::Expired => return Err(AuthError::RefreshTokenInvalid),
            Refresh::TooOften => return Err(AuthError::RefreshedTooOften),
            Refresh::Reused => {
                store::revoke_session(tx, id, now, self.last_expiry(now)).await?;
                return Ok(Refreshed::Reused);
            }
        };
        let user = store::get_user(tx, session.user_id).await?.ok_or(AuthError::RefreshTokenInvalid)?;
        Ok(Refreshed::Granted { user, token })
    }

    async fn give_role(&self, call: &Call, request: &AssignRoleRequest) -> Result<User, AuthError> {
        let id = parse_id("user_id", &request.user_id)?;
        let name = role::name(request.role()).ok_or(AuthError::RoleUnspecified)?;
        let give = async |tx: Tx| {
            let mut user = store::get_user(&tx, id).await?.ok_or(AuthError::UserNotFound)?;
            if user.role != name {
                let loses_owner = role::from_name(&user.role) == Some(Role::Owner);
                if loses_owner && tx.run(&store::COUNT_OWNERS).fetch_value::<i64>().await? <= 1 {
                    return Err(AuthError::LastOwner.into());
                }
                tx.audit::<User>(&account(id), None, None)?;
                tx.run(&store::SET_ROLE).bind(id).bind(name).execute().await?;
                name.clone_into(&mut user.role);
            }
            Ok(user.into_user()?)
        };
        Ok(self.store.write(call, give).await?)
    }

    async fn revocations_after(&self, call: &Call, after: i64) -> Result<ListRevocationsResponse, AuthError> {
        let now = call.now();
        let list = async |read: Read| {
            let run = read.run(&store::LIST_REVOCATIONS).bind(after).bind(now).bind(MAX_REVOCATIONS);
            Ok(run.fetch_all::<RevocationRow>().await?)
        };
        let rows = self.store.read(call, list).await?;
        let settled = (now - SETTLED_AFTER).timestamp_micros();
        // A full answer may end between two revocations of one moment: that moment is asked for again.
        let full = i64::try_from(rows.len()) == Ok(MAX_REVOCATIONS);
        let told = rows.last().filter(|_| full).map_or(settled, |last| settled.min(last.position - 1));
        let revocations = rows.into_iter().map(|row| Revocation {
            session_id: row.session_id.to_string(),
            expire_time: Some(std::time::SystemTime::from(row.expire_time).into()),
        });
        Ok(ListRevocationsResponse { revocations: revocations.collect(), position: told.max(after) })
    }

    /// A session's tokens as the client gets them.
    fn tokens(
        &self,
        keys: &KeyRing,
        user: UserRow,
        session: Uuid,
        refresh_token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<LoginResponse, AuthError> {
        let key = keys.signing(now).ok_or(AuthError::NoSigningKey)?;
        let ttl = self.settings.access_token_ttl;
        let subject = Subject { user: user.id, tenant: user.tenant_id, session, role: &user.role, epoch: user.epoch };
        Ok(LoginResponse {
            token: access_token::issue(key, &subject, now, ttl)?,
            token_type: "Bearer".to_owned(),
            expires_in: i32::try_from(ttl.num_seconds()).unwrap_or(i32::MAX),
            refresh_token: refresh_token.to_text(),
            session_id: session.to_string(),
            user: Some(user.into_user()?),
        })
    }

    /// When no access token that was issued until now is good any more.
    fn last_expiry(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.settings.access_token_ttl + SKEW
    }
}

impl contract::Auth for Auth {
    async fn register(&self, call: &Call, request: RegisterRequest) -> Result<Reply<User>> {
        self.ensure_first_administrator(call).await?;
        let user = self.open_account(call, request).await?;
        let location = format!("/api/v1/users/{}", user.id);
        Ok(Reply::created(user, location))
    }

    async fn login(&self, call: &Call, request: LoginRequest) -> Result<Reply<LoginResponse>> {
        self.ensure_first_administrator(call).await?;
        Ok(self.start_session(call, request).await?.into())
    }

    async fn refresh(&self, call: &Call, request: RefreshRequest) -> Result<Reply<LoginResponse>> {
        Ok(self.continue_session(call, &request).await?.into())
    }

    async fn logout(&self, call: &Call, _: LogoutRequest) -> Result<Reply<()>> {
        let (session, now) = (call.user()?.session, call.now());
        let end = async |tx: Tx| {
            tx.audit::<User>(&format!("sessions/{session}"), None, None)?;
            Ok(store::revoke_session(&tx, session, now, self.last_expiry(now)).await?)
        };
        self.store.write(call, end).await?;
        Ok(().into())
    }

    async fn assign_role(&self, call: &Call, request: AssignRoleRequest) -> Result<Reply<User>> {
        Ok(self.give_role(call, &request).await?.into())
    }

    async fn create_api_key(&self, call: &Call, request: CreateApiKeyRequest) -> Result<Reply<CreateApiKeyResponse>> {
        Ok(self.make_key(call, request).await?.into())
    }

    async fn list_api_keys(&self, call: &Call, _: ListApiKeysRequest) -> Result<Reply<ListApiKeysResponse>> {
        Ok(self.keys_of_tenant(call).await?.into())
    }

    async fn revoke_api_key(&self, call: &Call, request: RevokeApiKeyRequest) -> Result<Reply<()>> {
        self.revoke_key(call, &request).await?;
        Ok(().into())
    }

    async fn put_avatar(&self, call: &Call, request: Streaming<HttpBody>) -> Result<Reply<Avatar>> {
        Ok(self.change_avatar(call, request).await?.into())
    }

    async fn get_avatar(&self, call: &Call, request: GetAvatarRequest) -> Result<Reply<Avatar>> {
        Ok(self.avatar_of(call, &request).await?.into())
    }

    async fn delete_avatar(&self, call: &Call, _: DeleteAvatarRequest) -> Result<Reply<()>> {
        self.remove_avatar(call).await?;
        Ok(().into())
    }

    async fn download_avatar(&self, call: &Call, request: DownloadAvatarRequest) -> Result<Reply<Streaming<HttpBody>>> {
        Ok(self.give_avatar(call, &request).await?)
    }

    async fn exchange_api_key(&self, call: &Call, request: ExchangeApiKeyRequest) -> Result<Reply<ExchangeApiKeyResponse>> {
        Ok(self.whose_key(call, &request).await?.into())
    }

    async fn list_keys(&self, call: &Call, _: ListKeysRequest) -> Result<Reply<KeySet>> {
        let ring = self.keys.all(call).await?;
        let keys = ring.listed(call.now(), self.settings.access_token_ttl).map(crate::signing_key::SigningKey::jwk).collect();
        Ok(KeySet { keys }.into())
    }

    async fn list_revocations(&self, call: &Call, request: ListRevocationsRequest) -> Result<Reply<ListRevocationsResponse>> {
        Ok(self.revocations_after(call, request.after_position).await?.into())
    }
}

/// As audit records name it.
fn account(id: Uuid) -> String {
    format!("users/{id}")
}

fn parse_id(field: &'static str, text: &str) -> Result<Uuid, AuthError> {
    Uuid::parse_str(text).map_err(|_| AuthError::NotUuid(field))
}

mod api_keys;
mod avatars;
#[cfg(test)]
mod tests;
