//! Roles as they stand in tokens and records: `owner`, `staff`, `customer`.

use weft_contracts_auth::Role;

/// The role's name; none for the unspecified one, which no account has.
pub(crate) fn name(role: Role) -> Option<&'static str> {
    match role {
        Role::Unspecified => None,
        Role::Owner => Some("owner"),
        Role::Staff => Some("staff"),
        Role::Customer => Some("customer"),
    }
}

/// The role with this name; none for a name that this version does not know.
pub(crate) fn from_name(text: &str) -> Option<Role> {
    [Role::Owner, Role::Staff, Role::Customer].into_iter().find(|role| name(*role) == Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_that_can_be_held_is_found_by_its_name() {
        for role in [Role::Owner, Role::Staff, Role::Customer] {
            assert_eq!(name(role).and_then(from_name), Some(role));
        }
        assert_eq!(from_name("root"), None);
        assert_eq!(name(Role::Unspecified), None);
    }
}
