//! Somebody who calls, with the authority that the edge would give.

use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;
use weft_access::AssertionSigner;
use weft_call::{Call, CallBuilder, Clock, IdempotencyKey, Principal, Scope, TenantId};

/// Somebody who calls. Each call carries an assertion signed at that moment.
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    clock: Clock,
    signer: Arc<AssertionSigner>,
}

impl Caller {
    pub(crate) fn new(principal: Principal, clock: Clock, signer: Arc<AssertionSigner>) -> Self {
        Self { principal, clock, signer }
    }

    /// The id of the person or program.
    ///
    /// # Panics
    ///
    /// If the principal is neither.
    pub fn id(&self) -> Uuid {
        match &self.principal {
            Principal::User(user) => user.id,
            Principal::ServiceAccount(account) => account.id,
            other => panic!("{other} has no id"),
        }
    }

    /// Its tenant.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn tenant(&self) -> TenantId {
        self.principal.tenant().expect("the caller belongs to a tenant")
    }

    /// A call without an idempotency key.
    pub fn call(&self) -> Call {
        self.parts().build()
    }

    /// A call with an idempotency key.
    ///
    /// # Panics
    ///
    /// If the key is none.
    pub fn key(&self, key: &str) -> Call {
        let mut parts = self.parts();
        parts.idempotency_key = Some(IdempotencyKey::parse(key).expect("an idempotency key"));
        parts.build()
    }

    /// A call that expects an etag (`If-Match`).
    pub fn if_match(&self, etag: &str) -> Call {
        let mut parts = self.parts();
        parts.if_match = Some(etag.into());
        parts.build()
    }

    /// The parts of a call, to be changed.
    ///
    /// # Panics
    ///
    /// If the assertion cannot be signed.
    pub fn parts(&self) -> CallBuilder {
        let now = self.clock.now();
        let mut parts = CallBuilder::new(self.clock.clone());
        let signed = self.signer.sign(&self.principal, now + TimeDelta::minutes(1), now);
        parts.authority = Some(signed.expect("the edge's certificate signs"));
        parts.principal = self.principal.clone();
        parts.scope = self.principal.tenant().map_or(Scope::Nothing, Scope::Tenant);
        parts
    }
}
