//! What auth tells the mesh. Addresses and names stay here: who may see them asks for the account.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_contracts_auth::{TenantCreated, UserLoggedIn, UserRegistered};

use crate::{error::AuthError, role, store::UserRow};

/// A tenant was made for its owner.
pub(crate) fn tenant_created(owner: &UserRow) -> TenantCreated {
    TenantCreated {
        tenant_id: owner.tenant_id.to_string(),
        owner_id: owner.id.to_string(),
        create_time: Some(SystemTime::from(owner.create_time).into()),
    }
}

/// An account was opened.
pub(crate) fn user_registered(user: &UserRow) -> Result<UserRegistered, AuthError> {
    Ok(UserRegistered {
        user_id: user.id.to_string(),
        role: role::from_name(&user.role).ok_or(AuthError::RoleUnknown)?.into(),
        create_time: Some(SystemTime::from(user.create_time).into()),
    })
}

/// A session began.
pub(crate) fn user_logged_in(user: &UserRow, session: Uuid, now: DateTime<Utc>) -> UserLoggedIn {
    UserLoggedIn { user_id: user.id.to_string(), session_id: session.to_string(), login_time: Some(SystemTime::from(now).into()) }
}
