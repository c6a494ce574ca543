//! Which permissions a role holds.
//!
//! Until a tenant can define roles of its own, the table is what the contracts say: every
//! permission names the roles that hold it from the start, and `owner` holds all.

use std::collections::{BTreeMap, BTreeSet};

use weft_call::{Contract, Permissions};

/// The role that holds every permission of its tenant.
pub const OWNER: &str = "owner";

/// Answers what roles may do. The tenants domain will implement it for roles that tenants define.
pub trait Roles: Send + Sync + 'static {
    /// What the role may do; nothing if it is not known.
    fn permissions(&self, role: &str) -> Permissions;

    /// What several roles may do together.
    fn permissions_of(&self, roles: &[String]) -> Permissions {
        roles.iter().fold(Permissions::none(), |sum, role| sum.and(&self.permissions(role)))
    }
}

/// The roles that contracts name.
#[derive(Debug)]
pub struct ContractRoles(BTreeMap<&'static str, Permissions>);

impl ContractRoles {
    /// The table of these contracts.
    pub fn of<'a>(contracts: impl IntoIterator<Item = &'a Contract>) -> Self {
        let mut table = BTreeMap::<&str, BTreeSet<&str>>::new();
        for service in contracts.into_iter().flat_map(|contract| contract.services) {
            let demanded = service.methods.iter().filter_map(|method| Some((method.access.permission?, method.access.roles)));
            let asked = service.permissions.iter().map(|permission| (permission.name, permission.roles));
            for (permission, roles) in demanded.chain(asked) {
                for role in roles {
                    table.entry(role).or_default().insert(permission);
                }
            }
        }
        let mut table: BTreeMap<_, _> = table.into_iter().map(|(role, names)| (role, Permissions::of(names))).collect();
        table.insert(OWNER, Permissions::all());
        Self(table)
    }
}

impl Roles for ContractRoles {
    fn permissions(&self, role: &str) -> Permissions {
        self.0.get(role).cloned().unwrap_or_default()
    }
}
