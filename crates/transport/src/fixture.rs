//! A method for the tests of this crate.

use weft_call::{Access, Audit, Idempotency, MethodContract, MethodKind};

/// A unary READ of `domain`, without a deadline.
pub(crate) fn method(domain: &'static str) -> &'static MethodContract {
    Box::leak(Box::new(contract(domain, Idempotency::Read)))
}

/// A unary method of `domain`, without a deadline.
pub(crate) fn contract(domain: &'static str, idempotency: Idempotency) -> MethodContract {
    let access = Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };
    MethodContract {
        index: 0,
        domain,
        service: "weft.orders.v1.Orders",
        name: "GetOrder",
        path: "/weft.orders.v1.Orders/GetOrder",
        input: "",
        output: "",
        kind: MethodKind::Unary,
        access,
        system: None,
        deadline: None,
        idempotency,
        replica: false,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}
