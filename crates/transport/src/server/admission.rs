//! From a peer's headers to a [`Call`] that may run, or a refusal.

use std::{fmt, sync::Arc};

use weft_access::{AssertionVerifier, CallerRules, Counted, EDGE, RateLimits, Roles};
use weft_call::{
    Call, CallBuilder, Clock, Deadline, Error, MeshReason, MethodContract, Principal, RequestId, Result, Scope, TenantId,
    TraceContext,
};
use weft_telemetry::Metrics;

use crate::metadata::Extracted;

/// Decides what may run, and on whose account. Cloning it shares its tables.
#[derive(Clone)]
pub struct Admission {
    /// Which workload may call which method.
    pub rules: Arc<CallerRules>,
    /// What roles may do.
    pub roles: Arc<dyn Roles>,
    /// How often methods may be called.
    pub limits: Arc<RateLimits>,
    /// Proves what the edge says of users.
    pub assertions: Arc<AssertionVerifier>,
    /// The time of day that calls carry.
    pub clock: Clock,
    /// Where refused callers are counted.
    pub metrics: Metrics,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Admission {
    /// The call, if it may run. Also of one that may not it tells, by `known`, whose it is, once that is proven.
    pub(super) fn admit(
        &self,
        method: &'static MethodContract,
        peer: &str,
        request_id: RequestId,
        trace: TraceContext,
        sent: Extracted,
        known: &mut Option<Call>,
    ) -> Result<Call> {
        let deadline = deadline(method, &sent);
        if deadline.is_some_and(Deadline::is_spent) {
            return Err(Error::new(MeshReason::DeadlineSpent, "the time for the call was used up before it arrived"));
        }
        let verdict = self.judge(method, peer);
        verdict.check(method, peer)?;
        let (principal, tenant) = self.principal(method, peer, &sent)?;
        let permissions = self.roles.permissions_of(principal.roles());
        let demanded = verdict.demand(method, peer, &principal, &permissions);
        let counted = Counted { tenant, principal: &principal, peer: Some(peer), address: None };
        let allowed = demanded.and_then(|()| self.limits.check(method, counted));
        let scope = match (method.system, tenant) {
            (Some(reason), _) => Scope::System(reason),
            (None, Some(tenant)) => Scope::Tenant(tenant),
            (None, None) => Scope::Nothing,
        };
        let wrong_key = |error| Error::new(MeshReason::HeaderInvalid, "idempotency-key cannot be used").with_source(error);
        let call = CallBuilder {
            causation: None,
            method: Some(method),
            request_id,
            trace,
            deadline,
            principal,
            on_behalf_of: None,
            permissions,
            caller: Some(peer.into()),
            scope,
            authority: sent.assertion,
            idempotency_key: sent.idempotency_key.transpose().map_err(wrong_key)?,
            digest: None,
            if_match: sent.if_match.map(Into::into),
            fence: None,
            clock: self.clock.clone(),
        }
        .build();
        *known = Some(call.clone());
        allowed.map(|()| call)
    }

    /// On whose account, and for which tenant. A domain without a user's assertion acts on its own
    /// account, and may then say for which tenant; the edge carries the calls of strangers, and acts
    /// on its own account only where no user can call.
    fn principal(&self, method: &MethodContract, peer: &str, sent: &Extracted) -> Result<(Principal, Option<TenantId>)> {
        let Some(assertion) = &sent.assertion else {
            if peer == EDGE && method.serves_users() {
                return Ok((Principal::Anonymous, None));
            }
            return Ok((Principal::Workload(peer.into()), sent.tenant));
        };
        let claims = self.assertions.verify(assertion, self.clock.now()).map_err(|error| {
            Error::new(MeshReason::CredentialsInvalid, "the call's assertion is not valid").with_source(error)
        })?;
        let tenant = claims.principal.tenant();
        Ok((claims.principal.clone(), tenant))
    }
}

/// The earlier of what the contract and the caller give. Streams have none of the contract's.
fn deadline(method: &MethodContract, sent: &Extracted) -> Option<Deadline> {
    let given = sent.timeout.map(Deadline::after);
    match (method.deadline.map(Deadline::after), given) {
        (Some(a), Some(b)) => Some(a.earlier(b)),
        (a, b) => a.or(b),
    }
}
