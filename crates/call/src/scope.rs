//! Whose records a call may touch.

use uuid::Uuid;

/// A tenant. Every row of every domain belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub Uuid);

impl std::fmt::Display for TenantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose records a call may touch. The contract decides it, not the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant's.
    Tenant(TenantId),
    /// Every tenant's, for a stated reason. It runs under a database role of its own.
    System(&'static str),
    /// None: a public call that belongs to no tenant and needs no records.
    Nothing,
}
