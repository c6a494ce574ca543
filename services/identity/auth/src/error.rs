//! Why a call of auth fails, and what its caller learns of it.

use std::time::Duration;

use weft_contracts_auth::AuthReason;
use weft_mesh::{Error, blob::BlobError, seal::SealError, store::StoreError};

use crate::{password::PasswordError, random::RandomError, signing_key::SigningKeyError};

/// When a caller may come again who was turned away because too many passwords wait.
const HASHES_RETRY: Duration = Duration::from_secs(1);
/// When a caller may come again who refreshed one session too often: after the grace.
const REFRESHES_RETRY: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("the email address has an account already")]
    EmailTaken,
    #[error("no account has this email address and password")]
    LoginFailed,
    #[error("the refresh token is unknown, expired, or of a session that ended")]
    RefreshTokenInvalid,
    #[error("the refresh token was used before; its session is ended")]
    RefreshTokenReused,
    #[error("no such tenant exists")]
    TenantNotFound,
    #[error("no such account exists in the tenant")]
    UserNotFound,
    #[error("the account is the tenant's last owner; give another account the role first")]
    LastOwner,
    #[error("too many passwords are being checked")]
    TooBusy,
    #[error("the session was refreshed too often within seconds")]
    RefreshedTooOften,
    #[error("the tenant has as many API keys as it may; revoke one that nobody needs")]
    TooManyApiKeys,
    #[error("no such API key is good")]
    ApiKeyInvalid,
    #[error("the account has no avatar")]
    AvatarNotFound,
    #[error("this installation has no place for pictures: its operator sets blobs.url")]
    AvatarsNotKept,
    #[error("the database has an avatar of a type that is none")]
    MediaTypeUnknown,
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("{0} must be a time to come")]
    NotToCome(&'static str),
    #[error("{0} must be a UUID")]
    NotUuid(&'static str),
    #[error("an account cannot have the unspecified role")]
    RoleUnspecified,
    #[error("the database has an account with a role that is none")]
    RoleUnknown,
    #[error("there is no signing key")]
    NoSigningKey,
    #[error("hashing a password was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
    #[error("an access token cannot be written")]
    Token(#[from] serde_json::Error),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    #[error("a signing key cannot be unsealed")]
    Seal(#[from] SealError),
    #[error(transparent)]
    Random(#[from] RandomError),
    /// What the mesh or the store refuses: it keeps its own reason.
    #[error(transparent)]
    Mesh(#[from] Error),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Mesh(error.into())
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let reason = match error {
            AuthError::EmailTaken => AuthReason::EmailTaken,
            AuthError::LoginFailed => AuthReason::LoginFailed,
            AuthError::RefreshTokenInvalid => AuthReason::RefreshTokenInvalid,
            AuthError::RefreshTokenReused => AuthReason::RefreshTokenReused,
            AuthError::TenantNotFound => AuthReason::TenantNotFound,
            AuthError::UserNotFound => AuthReason::UserNotFound,
            AuthError::LastOwner => AuthReason::LastOwner,
            AuthError::TooBusy => return busy(&error, HASHES_RETRY),
            AuthError::RefreshedTooOften => return busy(&error, REFRESHES_RETRY),
            AuthError::TooManyApiKeys => AuthReason::TooManyApiKeys,
            AuthError::ApiKeyInvalid => AuthReason::ApiKeyInvalid,
            AuthError::AvatarNotFound | AuthError::Blob(BlobError::NotFound) => AuthReason::AvatarNotFound,
            AuthError::AvatarsNotKept => AuthReason::AvatarsNotKept,
            AuthError::Blob(error) => return error.into(),
            AuthError::NotToCome(field) => return Self::invalid_field(field, "must be a time to come"),
            AuthError::NotUuid(field) => return Self::invalid_field(field, "must be a UUID"),
            AuthError::RoleUnspecified => return Self::invalid_field("role", "must be said"),
            AuthError::Mesh(error) => return error,
            AuthError::RoleUnknown
            | AuthError::MediaTypeUnknown
            | AuthError::NoSigningKey
            | AuthError::Interrupted(_)
            | AuthError::Token(_)
            | AuthError::Password(_)
            | AuthError::SigningKey(_)
            | AuthError::Seal(_)
            | AuthError::Random(_) => return Self::internal(error),
        };
        Self::new(reason, error.to_string())
    }
}

fn busy(error: &AuthError, wait: Duration) -> Error {
    Error::new(AuthReason::TooBusy, error.to_string()).with_retry_after(wait)
}
