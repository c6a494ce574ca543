//! The contract of the domain that the simulation calls: one method of each idempotency class, and
//! one that calls on.

use std::time::Duration;

use weft_call::{Access, Audit, Idempotency, MethodContract, MethodKind, ServiceContract};

/// The domain that is called.
pub(crate) const DOMAIN: &str = "ledger";
/// The domain that calls it.
pub(crate) const CALLER: &str = "shop";

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// READ.
    Get,
    /// NATURAL.
    Set,
    /// KEYED.
    Pay,
    /// NONE.
    Append,
    /// READ: works for a while, then calls [`Operation::Get`] on the same domain.
    Relay,
}

impl Operation {
    /// Every operation, each at the index of its method.
    pub(crate) const ALL: [Self; 5] = [Self::Get, Self::Set, Self::Pay, Self::Append, Self::Relay];

    /// The method as the contract has it.
    pub(crate) fn method(self) -> &'static MethodContract {
        &METHODS[self as usize]
    }

    /// The operation of a method.
    pub(crate) fn of(method: &MethodContract) -> Option<Self> {
        Self::ALL.get(method.index).copied()
    }
}

pub(crate) static SERVICE: ServiceContract =
    ServiceContract { name: "simulation.ledger.v1.Ledger", domain: DOMAIN, calls: &[], permissions: &[], methods: &METHODS };

/// The whole of a method's policy that this simulation turns.
pub(crate) const fn method(index: usize, deadline: Option<Duration>, idempotency: Idempotency) -> MethodContract {
    const NAMES: [(&str, &str); 5] = [
        ("Get", "/simulation.ledger.v1.Ledger/Get"),
        ("Set", "/simulation.ledger.v1.Ledger/Set"),
        ("Pay", "/simulation.ledger.v1.Ledger/Pay"),
        ("Append", "/simulation.ledger.v1.Ledger/Append"),
        ("Relay", "/simulation.ledger.v1.Ledger/Relay"),
    ];
    let callers = &[CALLER, DOMAIN];
    let access = Access { public: false, authenticated: false, permission: None, roles: &[], callers, any_of: false };
    MethodContract {
        index,
        domain: DOMAIN,
        service: "simulation.ledger.v1.Ledger",
        name: NAMES[index].0,
        path: NAMES[index].1,
        input: "google.protobuf.Empty",
        output: "google.protobuf.Empty",
        kind: MethodKind::Unary,
        access,
        system: None,
        deadline,
        idempotency,
        replica: false,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

static METHODS: [MethodContract; 5] = [
    method(0, SECOND, Idempotency::Read),
    method(1, SECOND, Idempotency::Natural),
    method(2, Some(Duration::from_secs(2)), Idempotency::Keyed),
    method(3, SECOND, Idempotency::None),
    method(4, SECOND, Idempotency::Read),
];
