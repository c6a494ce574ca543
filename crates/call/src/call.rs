//! The one thing that travels with a request, from the edge to the last domain.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Assertion, Clock, Deadline, Digest, Error, IdempotencyKey, MeshReason, MethodContract, Permissions, Principal, Result, Scope,
    TenantId, TraceContext, User,
};

/// Who asks, for whom, until when, and in which trace. It is passed, never global; an outgoing client
/// takes it, so that nothing is forgotten on the way. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Call(Arc<CallBuilder>, Arc<Done>);

/// What became of a call so far, in any of its clones.
#[derive(Debug, Default)]
struct Done {
    has_written: AtomicBool,
    is_audited: AtomicBool,
}

impl fmt::Debug for CallBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method.map(|method| method.path))
            .field("request_id", &self.request_id)
            .field("principal", &self.principal)
            .field("scope", &self.scope)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// The parts of a [`Call`]. Transports fill them from what the peer proved and sent; tests as they
/// like.
#[derive(Clone)]
pub struct CallBuilder {
    /// The method being called; `None` outside of one, as in a job.
    pub method: Option<&'static MethodContract>,
    /// What all log lines of one request share.
    pub request_id: RequestId,
    /// The event that it handles; `None` where a request or a job's time caused it.
    pub causation: Option<Uuid>,
    /// The trace that it belongs to.
    pub trace: TraceContext,
    /// When it must have ended; `None` for streams and jobs.
    pub deadline: Option<Deadline>,
    /// On whose account.
    pub principal: Principal,
    /// For whom a job or saga acts, as [`Principal`] is written: it is told, and grants nothing.
    pub on_behalf_of: Option<Arc<str>>,
    /// What the principal may do in this domain.
    pub permissions: Permissions,
    /// The domain that called, as its certificate proves; `None` for jobs and in unit tests.
    pub caller: Option<Arc<str>>,
    /// Whose records it may touch.
    pub scope: Scope,
    /// The principal's signed assertion, carried on to the next domain unread.
    pub authority: Option<Assertion>,
    /// The key that marks repeats.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The digest of the request, for comparing repeats.
    pub digest: Option<Digest>,
    /// The etag that the caller expects (`If-Match`).
    pub if_match: Option<Arc<str>>,
    /// The lease that it works under; `None` where anybody may do it at any time.
    pub fence: Option<Fence>,
    /// The time of day.
    pub clock: Clock,
}

/// Work that one process at a time does: its name in the domain, and the number that it was given with the lease. Whoever
/// takes the lease over gets a higher one, and from then on the store refuses the writes of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// What is worked on.
    pub work: Arc<str>,
    /// The fencing token.
    pub token: i64,
}

impl CallBuilder {
    /// A call on nobody's account that may touch nothing.
    pub fn new(clock: Clock) -> Self {
        Self::within(RequestId::fresh(), TraceContext::start(), clock)
    }

    /// The same as part of a request that has begun.
    pub fn within(request_id: RequestId, trace: TraceContext, clock: Clock) -> Self {
        Self {
            method: None,
            request_id,
            causation: None,
            trace,
            deadline: None,
            principal: Principal::Anonymous,
            on_behalf_of: None,
            permissions: Permissions::none(),
            caller: None,
            scope: Scope::Nothing,
            authority: None,
            idempotency_key: None,
            digest: None,
            if_match: None,
            fence: None,
            clock,
        }
    }

    /// The finished call.
    pub fn build(self) -> Call {
        Call(Arc::new(self), Arc::default())
    }
}

impl Call {
    /// The method being called.
    pub fn method(&self) -> Option<&'static MethodContract> {
        self.0.method
    }

    /// What all log lines of one request share.
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// The event that it handles, if it handles one.
    pub fn causation(&self) -> Option<Uuid> {
        self.0.causation
    }

    /// The trace that it belongs to.
    pub fn trace(&self) -> &TraceContext {
        &self.0.trace
    }

    /// When it must have ended.
    pub fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// On whose account.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// For whom a job or saga acts.
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.0.on_behalf_of.as_deref()
    }

    /// The person who asks; an error if it is not a person.
    pub fn user(&self) -> Result<&User> {
        match &self.0.principal {
            Principal::User(user) => Ok(user),
            _ => Err(Error::new(MeshReason::CredentialsMissing, "this call needs a user who has logged in")),
        }
    }

    /// True if the principal holds a permission, such as one that `permissions` of the service lists.
    pub fn allows(&self, permission: &str) -> bool {
        self.0.permissions.allows(permission)
    }

    /// The domain that called.
    pub fn caller(&self) -> Option<&str> {
        self.0.caller.as_deref()
    }

    /// Whose records it may touch.
    pub fn scope(&self) -> Scope {
        self.0.scope
    }

    /// The tenant whose records it may touch; an error if it is not bound to one.
    pub fn tenant(&self) -> Result<TenantId> {
        match self.0.scope {
            Scope::Tenant(tenant) => Ok(tenant),
            Scope::System(_) | Scope::Nothing => Err(Error::new(MeshReason::TenantMissing, "this call belongs to no tenant")),
        }
    }

    /// The principal's signed assertion.
    pub fn authority(&self) -> Option<&Assertion> {
        self.0.authority.as_ref()
    }

    /// The key that marks repeats.
    pub fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.0.idempotency_key.as_ref()
    }

    /// The digest of the request.
    pub fn digest(&self) -> Option<Digest> {
        self.0.digest
    }

    /// The etag that the caller expects.
    pub fn if_match(&self) -> Option<&str> {
        self.0.if_match.as_deref()
    }

    /// The lease that it works under, if it works under one.
    pub fn fence(&self) -> Option<&Fence> {
        self.0.fence.as_ref()
    }

    /// The time of day, of this domain's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The same call bound to one tenant: a system call may narrow itself, nothing may widen or move.
    pub fn in_tenant(&self, tenant: TenantId) -> Result<Self> {
        match self.0.scope {
            Scope::System(_) => Ok(self.changed(|call| call.scope = Scope::Tenant(tenant))),
            Scope::Tenant(own) if own == tenant => Ok(self.clone()),
            Scope::Tenant(_) | Scope::Nothing => {
                Err(Error::new(MeshReason::TenantMissing, "this call may not act for that tenant"))
            }
        }
    }

    /// The same call for one of several keyed calls to another domain. Every repeat of this call
    /// derives the same key from the same step, so the other domain sees a repeat as well.
    #[must_use]
    pub fn step(&self, step: &str) -> Self {
        self.changed(|call| call.idempotency_key = call.idempotency_key.as_ref().map(|key| key.derive(step)))
    }

    /// The same call that must end by `deadline` if that is earlier.
    #[must_use]
    pub fn by(&self, deadline: Deadline) -> Self {
        self.changed(|call| call.deadline = Some(call.deadline.map_or(deadline, |own| own.earlier(deadline))))
    }

    /// True once a write of this call is committed, in any of its clones. A KEYED call makes one
    /// write: the record of a second could not be told from that of a repeat.
    pub fn has_written(&self) -> bool {
        self.1.has_written.load(Ordering::Acquire)
    }

    /// Remembers that a write of this call is committed; for the store.
    pub fn set_written(&self) {
        self.1.has_written.store(true, Ordering::Release);
    }

    /// True once its audit record is committed.
    pub fn is_audited(&self) -> bool {
        self.1.is_audited.load(Ordering::Acquire)
    }

    /// Remembers that its audit record is committed; for the store.
    pub fn set_audited(&self) {
        self.1.is_audited.store(true, Ordering::Release);
    }

    pub(crate) fn with_digest(&self, digest: Digest) -> Self {
        self.changed(|call| call.digest = Some(digest))
    }

    fn changed(&self, change: impl FnOnce(&mut CallBuilder)) -> Self {
        let mut parts = CallBuilder::clone(&self.0);
        change(&mut parts);
        Self(Arc::new(parts), Arc::clone(&self.1))
    }
}

/// What all log lines of one request share, in every domain that it passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

/// A request id that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request id is 1 to {} letters, digits, '-', '_', '.' or ':'", RequestId::LIMIT)]
pub struct RequestIdError;

impl RequestId {
    /// Longest id, in bytes.
    pub const LIMIT: usize = 128;

    /// A new id (`UUIDv7`).
    pub fn fresh() -> Self {
        Self((&*Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer())).into())
    }

    /// Checks an id that a client sent: it will stand in logs.
    pub fn parse(text: &str) -> Result<Self, RequestIdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if text.is_empty() || text.len() > Self::LIMIT || !text.bytes().all(plain) {
            Err(RequestIdError)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_scope(scope: Scope) -> Call {
        let mut parts = CallBuilder::new(Clock::system());
        parts.scope = scope;
        parts.build()
    }

    #[test]
    fn a_call_narrows_its_scope_and_never_widens_or_moves_it() {
        let (a, b) = (TenantId(Uuid::now_v7()), TenantId(Uuid::now_v7()));
        let narrowed = in_scope(Scope::System("a job over all tenants")).in_tenant(a);
        assert!(narrowed.is_ok_and(|call| call.scope() == Scope::Tenant(a) && call.in_tenant(b).is_err()));
        assert!(in_scope(Scope::Nothing).in_tenant(a).is_err());
        assert!(in_scope(Scope::Nothing).tenant().is_err());
    }

    #[test]
    fn a_deadline_is_only_ever_brought_forward() {
        let soon = Deadline::after(std::time::Duration::from_secs(1));
        let late = Deadline::after(std::time::Duration::from_secs(9));
        let call = in_scope(Scope::Nothing).by(soon);
        assert_eq!(call.by(late).deadline(), Some(soon));
    }

    #[test]
    fn a_request_id_that_could_forge_a_log_line_is_refused() {
        assert!(RequestId::parse("a-1:b_2.c").is_ok());
        for bad in ["", "a b", "a\nb", "\u{1b}[31m", &"x".repeat(129)] {
            assert_eq!(RequestId::parse(bad), Err(RequestIdError), "{bad:?}");
        }
    }
}
