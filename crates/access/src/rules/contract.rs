//! The callers that contracts know.

use std::collections::{BTreeMap, BTreeSet};

use weft_call::{Contract, MethodContract};

use super::EDGE;

/// Which domains declare that they call which service.
#[derive(Debug, Default)]
pub(super) struct DeclaredCalls(BTreeMap<&'static str, BTreeSet<&'static str>>);

impl DeclaredCalls {
    pub(super) fn of<'a>(contracts: impl IntoIterator<Item = &'a Contract>) -> Self {
        let mut callers = BTreeMap::<_, BTreeSet<_>>::new();
        for service in contracts.into_iter().flat_map(|contract| contract.services) {
            for callee in service.calls {
                callers.entry(*callee).or_default().insert(service.domain);
            }
        }
        Self(callers)
    }

    /// Whether the method names the caller, or is open to all declared callers and this is one, or serves users and
    /// this is the edge. A method that names callers is closed to all others, unless `any_of`.
    pub(super) fn knows(&self, method: &MethodContract, caller: &str) -> bool {
        method.access.callers.contains(&caller)
            || is_open(method) && (self.declares(method.service, caller) || caller == EDGE && method.serves_users())
    }

    fn declares(&self, service: &str, caller: &str) -> bool {
        self.0.get(service).is_some_and(|callers| callers.contains(caller))
    }
}

/// Whether the method takes callers that it does not name.
pub(super) fn is_open(method: &MethodContract) -> bool {
    method.access.callers.is_empty() || method.access.any_of
}
