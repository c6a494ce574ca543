//! What a method demands of the principal.

use weft_call::{Error, MeshReason, MethodContract, Permissions, Principal, Result};

/// Checks the principal's authority.
pub(super) fn demand(method: &MethodContract, principal: &Principal, permissions: &Permissions) -> Result<()> {
    let access = &method.access;
    if access.public || !method.serves_users() {
        return Ok(());
    }
    if !matches!(principal, Principal::User(_) | Principal::ServiceAccount(_)) {
        return Err(Error::new(MeshReason::CredentialsMissing, "this call needs credentials"));
    }
    match access.permission {
        Some(permission) if !permissions.allows(permission) => {
            Err(Error::new(MeshReason::PermissionMissing, format!("the permission {permission} is missing"))
                .with_metadata("permission", permission))
        }
        _ => Ok(()),
    }
}
