//! Who may call a method: decided from the contract, for each request, in memory.
//!
//! Two questions are asked. Is the calling workload one that the contract knows (named in
//! `callers`, or a service that declares the callee in its `calls`, or the edge for methods that
//! serve users)? And does the principal have the authority that the method demands? Both must
//! hold; `any_of` lets a named caller or the authority suffice. What nothing allows is refused.

use std::collections::{BTreeMap, BTreeSet};

use weft_call::{Contract, Error, MeshReason, MethodContract, Permissions, Principal, Result};

/// The edge's logical name.
pub const EDGE: &str = "edge";

/// Which domains declare that they call which service.
#[derive(Debug, Default)]
pub struct CallerRules(BTreeMap<&'static str, BTreeSet<&'static str>>);

impl CallerRules {
    /// The rules of these contracts: all that the binary knows, also of domains in other processes.
    pub fn of<'a>(contracts: impl IntoIterator<Item = &'a Contract>) -> Self {
        let mut callers = BTreeMap::<_, BTreeSet<_>>::new();
        for service in contracts.into_iter().flat_map(|contract| contract.services) {
            for callee in service.calls {
                callers.entry(*callee).or_default().insert(service.domain);
            }
        }
        Self(callers)
    }

    /// Decides whether `peer` may call `method` on the principal's account.
    pub fn decide(&self, method: &MethodContract, peer: &str, principal: &Principal, permissions: &Permissions) -> Result<()> {
        let access = &method.access;
        let named = access.callers.contains(&peer);
        if access.any_of && named {
            return Ok(());
        }
        let declared = || self.0.get(method.service).is_some_and(|callers| callers.contains(peer));
        let known = match (access.callers.is_empty(), access.any_of) {
            (false, false) => named,
            (true, _) | (false, true) => declared() || peer == EDGE && method.serves_users(),
        };
        if !known {
            return Err(Error::new(MeshReason::CallerNotAllowed, format!("{peer} may not call {}", method.path))
                .with_metadata("caller", peer));
        }
        demand(method, principal, permissions)
    }
}

/// Checks the principal's authority.
fn demand(method: &MethodContract, principal: &Principal, permissions: &Permissions) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;
    use weft_call::{Access, Audit, Idempotency, MethodKind, TenantId, User};

    use super::*;

    const CLOSED: Access =
        Access { public: false, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };

    fn method(access: Access) -> MethodContract {
        MethodContract {
            index: 0,
            domain: "catalog",
            service: "weft.catalog.v1.Catalog",
            name: "GetProduct",
            path: "/weft.catalog.v1.Catalog/GetProduct",
            input: "",
            output: "",
            kind: MethodKind::Unary,
            access,
            system: None,
            deadline: None,
            idempotency: Idempotency::Read,
            limits: &[],
            audit: Audit::None,
            http: &[],
        }
    }

    fn rules() -> CallerRules {
        CallerRules(BTreeMap::from([("weft.catalog.v1.Catalog", BTreeSet::from(["orders"]))]))
    }

    fn user() -> Principal {
        let tenant = TenantId(Uuid::now_v7());
        let roles = Arc::from(["staff".to_owned()]);
        Principal::User(User { id: Uuid::now_v7(), tenant, session: Uuid::now_v7(), roles, epoch: 0 })
    }

    fn reason(access: Access, peer: &str, principal: &Principal, permissions: &[&'static str]) -> Option<MeshReason> {
        let permissions = Permissions::of(permissions.iter().copied());
        rules().decide(&method(access), peer, principal, &permissions).err().and_then(|error| error.reason())
    }

    #[test]
    fn what_nothing_allows_is_refused() {
        for peer in ["edge", "orders", "stranger"] {
            let expected = if peer == "orders" { None } else { Some(MeshReason::CallerNotAllowed) };
            assert_eq!(reason(CLOSED, peer, &user(), &[]), expected, "{peer}");
        }
    }

    #[test]
    fn a_permission_is_demanded_of_users_whoever_carries_their_call() {
        let access = Access { permission: Some("read"), ..CLOSED };
        for peer in ["edge", "orders"] {
            assert_eq!(reason(access, peer, &user(), &["read"]), None);
            assert_eq!(reason(access, peer, &user(), &["write"]), Some(MeshReason::PermissionMissing));
            assert_eq!(reason(access, peer, &Principal::Anonymous, &["read"]), Some(MeshReason::CredentialsMissing));
        }
        assert_eq!(reason(access, "stranger", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
    }

    #[test]
    fn named_callers_close_the_door_to_all_others_unless_any_of() {
        let both = Access { permission: Some("read"), callers: &["timers"], ..CLOSED };
        assert_eq!(reason(both, "timers", &user(), &["read"]), None);
        assert_eq!(reason(both, "timers", &Principal::Workload("timers".into()), &[]), Some(MeshReason::CredentialsMissing));
        assert_eq!(reason(both, "edge", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
        assert_eq!(reason(both, "orders", &user(), &["read"]), Some(MeshReason::CallerNotAllowed));
        let either = Access { any_of: true, ..both };
        assert_eq!(reason(either, "timers", &Principal::Workload("timers".into()), &[]), None);
        assert_eq!(reason(either, "edge", &user(), &["read"]), None);
        assert_eq!(reason(either, "edge", &user(), &[]), Some(MeshReason::PermissionMissing));
    }

    #[test]
    fn a_public_method_is_for_the_edge_and_declared_callers() {
        let access = Access { public: true, ..CLOSED };
        assert_eq!(reason(access, "edge", &Principal::Anonymous, &[]), None);
        assert_eq!(reason(access, "stranger", &Principal::Anonymous, &[]), Some(MeshReason::CallerNotAllowed));
    }
}
