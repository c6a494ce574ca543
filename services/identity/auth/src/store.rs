//! Every statement of auth, and the rows that they read.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;
use uuid::Uuid;
use weft_contracts_auth::{ApiKey, Role, User};
use weft_mesh::{
    Subject,
    store::{Read, StoreError, Tx, statements},
};

use crate::{
    email::EmailAddress,
    error::AuthError,
    refresh_token::{Fingerprint, Nonce, RefreshToken},
    role,
    session::{GRACE, MAX_REPLACED, Replaced},
};

statements! {
    INSERT_TENANT = "INSERT INTO tenants (tenant_id, name, create_time) VALUES ($1, $2, $3)";
    COUNT_TENANT = "SELECT count(*) FROM tenants WHERE tenant_id = $1";

    INSERT_USER =
        "INSERT INTO users (tenant_id, id, email, password_hash, role, epoch, create_time) VALUES ($1, $2, $3, $4, $5, 1, $6) \
         ON CONFLICT (email) DO NOTHING";
    GET_USER = "SELECT id, tenant_id, email, role, epoch, create_time FROM users WHERE tenant_id = $1 AND id = $2";
    SET_ROLE = "UPDATE users SET role = $3, epoch = epoch + 1 WHERE tenant_id = $1 AND id = $2";
    COUNT_OWNERS = "SELECT count(*) FROM users WHERE tenant_id = $1 AND role = 'owner'";
    /// Unless it was replaced since it was read.
    REPLACE_PASSWORD_HASH =
        "UPDATE users SET password_hash = $4 WHERE tenant_id = $1 AND id = $2 AND password_hash = $3";
    system FIND_ACCOUNT = "SELECT tenant_id, id, password_hash FROM users WHERE email = $1";

    /// A tenant that was given no name bears the address of who opened it.
    FORGET_NAME =
        "UPDATE tenants SET name = '' WHERE tenant_id = $1 \
         AND name = (SELECT email FROM users WHERE tenant_id = $1 AND id = $2)";
    DELETE_USER = "DELETE FROM users WHERE tenant_id = $1 AND id = $2";

    LIST_SESSIONS = "SELECT id FROM sessions WHERE tenant_id = $1 AND user_id = $2 LIMIT 10000";
    INSERT_SESSION =
        "INSERT INTO sessions (tenant_id, id, user_id, family_hash, secret_hash, create_time, expire_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    GET_SESSION = "SELECT user_id, secret_hash, expire_time FROM sessions WHERE tenant_id = $1 AND id = $2";
    SET_SECRET = "UPDATE sessions SET secret_hash = $3 WHERE tenant_id = $1 AND id = $2";
    DELETE_SESSION = "DELETE FROM sessions WHERE tenant_id = $1 AND id = $2";
    system FIND_SESSION = "SELECT tenant_id, id FROM sessions WHERE family_hash = $1";
    system EXPIRE_SESSIONS =
        "DELETE FROM sessions WHERE family_hash IN (SELECT family_hash FROM sessions WHERE expire_time <= $1 LIMIT 500)";

    INSERT_REPLACED =
        "INSERT INTO replaced_tokens (tenant_id, session_id, secret_hash, nonce, replace_time) VALUES ($1, $2, $3, $4, $5)";
    LIST_REPLACED =
        "SELECT secret_hash, nonce, replace_time FROM replaced_tokens \
         WHERE tenant_id = $1 AND session_id = $2 AND replace_time >= $3 LIMIT $4";
    DELETE_REPLACED = "DELETE FROM replaced_tokens WHERE tenant_id = $1 AND session_id = $2 AND replace_time < $3";

    INSERT_REVOCATION =
        "INSERT INTO revocations (tenant_id, session_id, position, expire_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id, session_id) DO NOTHING";
    system LIST_REVOCATIONS =
        "SELECT session_id, position, expire_time FROM revocations WHERE position > $1 AND expire_time > $2 \
         ORDER BY position LIMIT $3";
    system EXPIRE_REVOCATIONS =
        "DELETE FROM revocations WHERE (tenant_id, session_id) IN \
         (SELECT tenant_id, session_id FROM revocations WHERE expire_time <= $1 LIMIT 500)";

    INSERT_API_KEY =
        "INSERT INTO api_keys (tenant_id, id, name, digest, role, creator_id, create_time, expire_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    COUNT_API_KEYS = "SELECT count(*) FROM api_keys WHERE tenant_id = $1";
    LIST_API_KEYS =
        "SELECT tenant_id, id, name, role, creator_id, create_time, expire_time FROM api_keys \
         WHERE tenant_id = $1 ORDER BY id LIMIT 100";
    LIST_API_KEYS_OF = "SELECT id FROM api_keys WHERE tenant_id = $1 AND creator_id = $2 ORDER BY id LIMIT 100";
    DELETE_API_KEY = "DELETE FROM api_keys WHERE tenant_id = $1 AND id = $2";
    system FIND_API_KEY =
        "SELECT tenant_id, id, name, role, creator_id, create_time, expire_time FROM api_keys WHERE digest = $1";

    GET_AVATAR = "SELECT blob_id, media_type, size, sha256, update_time FROM avatars WHERE tenant_id = $1 AND user_id = $2";
    SET_AVATAR =
        "INSERT INTO avatars (tenant_id, user_id, blob_id, media_type, size, sha256, update_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET blob_id = excluded.blob_id, media_type = excluded.media_type, \
         size = excluded.size, sha256 = excluded.sha256, update_time = excluded.update_time";
    DELETE_AVATAR = "DELETE FROM avatars WHERE tenant_id = $1 AND user_id = $2";

    system LIST_SIGNING_KEYS = "SELECT number, seed, sign_from FROM signing_keys ORDER BY number LIMIT 100";
    system INSERT_SIGNING_KEY =
        "INSERT INTO signing_keys (number, seed, sign_from) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING";
    system SET_SEED = "UPDATE signing_keys SET seed = $2 WHERE number = $1 AND seed = $3";
    system DELETE_SIGNING_KEYS = "DELETE FROM signing_keys WHERE number < $1";
}

/// No access token may live longer: see the settings.
const LONGEST_ACCESS_TOKEN: TimeDelta = TimeDelta::hours(24);

/// Rows that one run of [`EXPIRE_SESSIONS`] or [`EXPIRE_REVOCATIONS`] deletes at most.
pub(crate) const EXPIRE_BATCH: u64 = 500;

/// An account.
#[derive(FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) email: String,
    pub(crate) role: String,
    pub(crate) epoch: i64,
    pub(crate) create_time: DateTime<Utc>,
}

impl UserRow {
    /// The account as others see it.
    pub(crate) fn into_user(self) -> Result<User, AuthError> {
        Ok(User {
            id: self.id.to_string(),
            email: self.email,
            role: role::from_name(&self.role).ok_or(AuthError::RoleUnknown)?.into(),
            tenant_id: self.tenant_id.to_string(),
            create_time: Some(std::time::SystemTime::from(self.create_time).into()),
        })
    }
}

/// A key by which a program calls.
#[derive(FromRow)]
pub(crate) struct ApiKeyRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) creator_id: Uuid,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) expire_time: Option<DateTime<Utc>>,
}

impl ApiKeyRow {
    /// What its holder may do.
    pub(crate) fn role(&self) -> Result<Role, AuthError> {
        role::from_name(&self.role).ok_or(AuthError::RoleUnknown)
    }

    /// The key as others see it.
    pub(crate) fn into_key(self) -> Result<ApiKey, AuthError> {
        Ok(ApiKey {
            role: self.role()?.into(),
            id: self.id.to_string(),
            name: self.name,
            creator_id: self.creator_id.to_string(),
            create_time: Some(std::time::SystemTime::from(self.create_time).into()),
            expire_time: self.expire_time.map(|time| std::time::SystemTime::from(time).into()),
        })
    }
}

/// A picture of an account: which blob, and what it is.
#[derive(FromRow)]
pub(crate) struct AvatarRow {
    pub(crate) blob_id: Uuid,
    pub(crate) media_type: String,
    pub(crate) size: i64,
    pub(crate) sha256: Vec<u8>,
    pub(crate) update_time: DateTime<Utc>,
}

/// What a login compares.
#[derive(FromRow)]
pub(crate) struct AccountRow {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) password_hash: String,
}

/// Where a session is.
#[derive(FromRow)]
pub(crate) struct SessionPlace {
    pub(crate) tenant_id: Uuid,
    pub(crate) id: Uuid,
}

/// A session.
#[derive(FromRow)]
pub(crate) struct SessionRow {
    pub(crate) user_id: Uuid,
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) expire_time: DateTime<Utc>,
}

#[derive(FromRow)]
struct ReplacedRow {
    secret_hash: Vec<u8>,
    nonce: Vec<u8>,
    replace_time: DateTime<Utc>,
}

/// A session that ended.
#[derive(FromRow)]
pub(crate) struct RevocationRow {
    pub(crate) session_id: Uuid,
    pub(crate) position: i64,
    pub(crate) expire_time: DateTime<Utc>,
}

/// A signing key.
#[derive(FromRow)]
pub(crate) struct SigningKeyRow {
    pub(crate) number: i64,
    pub(crate) seed: Vec<u8>,
    pub(crate) sign_from: DateTime<Utc>,
}

/// Adds an account; false if its address has one already, in whatever tenant.
pub(crate) async fn insert_user(tx: &Tx, user: &UserRow, password_hash: &str) -> Result<bool, StoreError> {
    let run = tx.run(&INSERT_USER).bind(user.id).bind(&user.email).bind(password_hash).bind(&user.role).bind(user.create_time);
    Ok(run.execute().await? == 1)
}

/// The account with this id in the call's tenant.
pub(crate) async fn get_user(read: &Read, id: Uuid) -> Result<Option<UserRow>, StoreError> {
    read.run(&GET_USER).bind(id).fetch_optional().await
}

/// The account with this address, in whatever tenant.
pub(crate) async fn find_account(read: &Read, email: &EmailAddress) -> Result<Option<AccountRow>, StoreError> {
    read.run(&FIND_ACCOUNT).bind(email.as_str()).fetch_optional().await
}

/// The avatar of an account in the call's tenant.
pub(crate) async fn get_avatar(read: &Read, user: Uuid) -> Result<Option<AvatarRow>, StoreError> {
    read.run(&GET_AVATAR).bind(user).fetch_optional().await
}

/// Records an account's avatar in place of the one before.
pub(crate) async fn set_avatar(tx: &Tx, user: Uuid, avatar: &AvatarRow) -> Result<(), StoreError> {
    let run = tx.run(&SET_AVATAR).bind(user).bind(avatar.blob_id).bind(&avatar.media_type).bind(avatar.size);
    run.bind(avatar.sha256.clone()).bind(avatar.update_time).execute().await.map(drop)
}

/// Adds a session with its first token.
pub(crate) async fn insert_session(
    tx: &Tx,
    id: Uuid,
    user: Uuid,
    token: &RefreshToken,
    (create_time, expire_time): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), StoreError> {
    let (family, secret) = (token.family_fingerprint().to_vec(), token.secret_fingerprint().to_vec());
    let run = tx.run(&INSERT_SESSION).bind(id).bind(user).bind(family).bind(secret).bind(create_time).bind(expire_time);
    run.execute().await.map(drop)
}

/// The session that a token's family names, in whatever tenant.
pub(crate) async fn find_session(read: &Read, family: Fingerprint) -> Result<Option<SessionPlace>, StoreError> {
    read.run(&FIND_SESSION).bind(family.to_vec()).fetch_optional().await
}

/// The tokens of a session that were replaced within the grace.
pub(crate) async fn list_replaced(read: &Read, session: Uuid, now: DateTime<Utc>) -> Result<Vec<Replaced>, StoreError> {
    let limit = i64::try_from(MAX_REPLACED).unwrap_or(i64::MAX);
    let rows: Vec<ReplacedRow> = read.run(&LIST_REPLACED).bind(session).bind(now - GRACE).bind(limit).fetch_all().await?;
    let replaced = |row: ReplacedRow| Replaced {
        secret_hash: row.secret_hash,
        nonce: Nonce::stored(row.nonce),
        replace_time: row.replace_time,
    };
    Ok(rows.into_iter().map(replaced).collect())
}

/// Replaces a session's live token by its successor, which it returns.
pub(crate) async fn rotate(tx: &Tx, session: Uuid, token: &RefreshToken, now: DateTime<Utc>) -> Result<RefreshToken, AuthError> {
    let nonce = Nonce::fresh()?;
    let next = token.successor(&nonce);
    tx.run(&SET_SECRET).bind(session).bind(next.secret_fingerprint().to_vec()).execute().await?;
    tx.run(&DELETE_REPLACED).bind(session).bind(now - GRACE).execute().await?;
    let old = token.secret_fingerprint().to_vec();
    tx.run(&INSERT_REPLACED).bind(session).bind(old).bind(nonce.to_vec()).bind(now).execute().await?;
    Ok(next)
}

/// Ends a session before its access tokens expire, which the last of them does at `expire_time`.
pub(crate) async fn revoke_session(tx: &Tx, id: Uuid, now: DateTime<Utc>, expire_time: DateTime<Utc>) -> Result<(), StoreError> {
    tx.run(&DELETE_SESSION).bind(id).execute().await?;
    tx.run(&INSERT_REVOCATION).bind(id).bind(now.timestamp_micros()).bind(expire_time).execute().await.map(drop)
}

/// Ends an API key, which edges are told until `expire_time`, the end of all that was made by it. True if there was one.
pub(crate) async fn revoke_api_key(
    tx: &Tx,
    id: Uuid,
    now: DateTime<Utc>,
    expire_time: DateTime<Utc>,
) -> Result<bool, StoreError> {
    // Told only if there was such a key: the memory of the edges is no place for made-up ids.
    let was_there = tx.run(&DELETE_API_KEY).bind(id).execute().await? > 0;
    if was_there {
        tx.run(&INSERT_REVOCATION).bind(id).bind(now.timestamp_micros()).bind(expire_time).execute().await?;
    }
    Ok(was_there)
}

/// Every signing key.
pub(crate) async fn list_signing_keys(read: &Read) -> Result<Vec<SigningKeyRow>, StoreError> {
    read.run(&LIST_SIGNING_KEYS).fetch_all().await
}

/// Erases an account with its sessions, whose access tokens are revoked, and the API keys that it made: whoever is gone
/// leaves no way in.
pub(crate) async fn erase(tx: &Tx, subject: Subject) -> weft_mesh::Result<()> {
    let now = tx.call().now();
    for session in tx.run(&LIST_SESSIONS).bind(subject.user).fetch_values::<Uuid>().await? {
        tx.forget_events(&session.to_string()).await?;
        revoke_session(tx, session, now, now + LONGEST_ACCESS_TOKEN).await?;
    }
    for key in tx.run(&LIST_API_KEYS_OF).bind(subject.user).fetch_values::<Uuid>().await? {
        revoke_api_key(tx, key, now, now + LONGEST_ACCESS_TOKEN).await?;
    }
    tx.run(&FORGET_NAME).bind(subject.user).execute().await?;
    tx.run(&DELETE_AVATAR).bind(subject.user).execute().await?;
    tx.run(&DELETE_USER).bind(subject.user).execute().await?;
    Ok(())
}
