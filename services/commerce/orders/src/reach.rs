//! Whose orders a call may see or change.
//!
//! Customers reach their own; who holds the permission for all reaches all of the tenant. An order
//! out of reach is reported as one that does not exist, so that ids of others cannot be probed.

use uuid::Uuid;
use weft_mesh::{Call, Result};

use crate::{error::OrdersError, order::Order};

/// Lets its holder see all orders of the tenant.
pub(crate) const READ_ALL: &str = "orders.read_all";
/// Lets its holder cancel all orders of the tenant.
pub(crate) const CANCEL_ALL: &str = "orders.cancel_all";

/// Whose orders a call may see or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of the tenant.
    All,
    /// Those of one customer.
    Of(Uuid),
}

impl Reach {
    /// What the call reaches: all with the permission, its user's own without.
    pub(crate) fn of(call: &Call, permission: &str) -> Result<Self> {
        if call.allows(permission) { Ok(Self::All) } else { Ok(Self::Of(call.user()?.id)) }
    }

    /// The order, if it is within reach.
    pub(crate) fn admit(self, order: Option<Order>) -> Result<Order, OrdersError> {
        order.filter(|order| self == Self::All || self == Self::Of(order.customer_id)).ok_or(OrdersError::OrderNotFound)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use weft_contracts_orders::OrdersContract;
    use weft_mesh::{CallBuilder, Clock, Permissions, Principal, TenantId, User, call::Declares};

    use super::*;
    use crate::order::tests::order_of;

    fn call(user: Uuid, permissions: Permissions) -> Call {
        let (tenant, session) = (TenantId(Uuid::now_v7()), Uuid::now_v7());
        let mut parts = CallBuilder::new(Clock::system());
        parts.principal = Principal::User(User { id: user, tenant, session, roles: [].into(), epoch: 0 });
        parts.permissions = permissions;
        parts.build()
    }

    #[test]
    fn one_reaches_ones_own_orders_and_all_only_by_permission() {
        let (mine, other) = (Uuid::now_v7(), Uuid::now_v7());
        let own = Reach::of(&call(mine, Permissions::none()), READ_ALL).unwrap();
        assert!(own.admit(Some(order_of(mine))).is_ok());
        for out_of_reach in [Some(order_of(other)), None] {
            assert!(matches!(own.admit(out_of_reach), Err(OrdersError::OrderNotFound)));
        }
        let all = Reach::of(&call(mine, Permissions::of([READ_ALL])), READ_ALL).unwrap();
        assert!(all.admit(Some(order_of(other))).is_ok());
        assert_eq!(Reach::of(&call(mine, Permissions::of([READ_ALL])), CANCEL_ALL).unwrap(), Reach::Of(mine));
    }

    #[test]
    fn nobody_reaches_no_order() {
        let nobody = CallBuilder::new(Clock::system()).build();
        assert!(Reach::of(&nobody, READ_ALL).is_err());
    }

    #[test]
    fn the_permissions_are_those_of_the_contract() {
        let declared: Vec<_> = OrdersContract::CONTRACT.services[0].permissions.iter().map(|it| it.name).collect();
        assert_eq!(declared, [READ_ALL, CANCEL_ALL]);
    }
}
