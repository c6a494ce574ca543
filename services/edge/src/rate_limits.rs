//! How often clients may call: the limits of the contracts, by address, user and tenant.
//!
//! # Rule
//!
//! Each limit of a method is a bucket of `burst` calls that fills by `rate` a second, one for each address (each /64 of
//! IPv6), user, API key or tenant: see [`weft_cache::Counters`]. Edges that are given the same counters share the buckets.
//! The address is counted before anything else is done for a request, the rest once it is known whose it is. A call that
//! finds no room is refused with the time to wait. How full the buckets are is told in `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-10): `q` calls in `w` seconds, `r` of them left, all of them after `t` seconds.
//!
//! A tenant's quota, where the installation gives it one, is a bucket that holds the calls of a day and fills in a day,
//! whatever the method. It is counted last: what a contract refuses uses nothing up.
//!
//! # Recovery
//!
//! While the shared counters do not answer, each edge counts by itself: a limit is never waived, and for that time the sum
//! of what edges let through is larger by their number.

use std::{
    collections::HashMap,
    fmt::Write as _,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use weft_access::{LimitFactors, subscriber};
use weft_cache::{CacheError, CounterKey, CounterScope, Counters, InProcess, Rate, RateError, Taken};
use weft_call::{Contract, Error, Limit, LimitScope, MeshReason, MethodContract, Principal, Result, TenantId};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The counters' names in the shared memory.
const COUNTER: &str = "edge.calls";
const QUOTA_COUNTER: &str = "edge.quota";
/// What a quota is told as.
const QUOTA: &str = "quota";
/// How long a quota is for.
const DAY: Duration = Duration::from_hours(24);

/// The limits of all methods that have some.
pub(crate) struct RateLimits {
    by_path: HashMap<&'static str, Vec<Limit>>,
    shared: Arc<dyn Counters>,
    /// What is counted while the shared counters do not answer.
    own: InProcess,
    factors: LimitFactors,
}

/// How full the buckets are that a request was counted in. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings(Arc<Mutex<Vec<Standing>>>);

/// How full a bucket is.
#[derive(Clone, Copy, Debug)]
struct Standing {
    name: &'static str,
    quota: u64,
    window: Duration,
    left: u64,
    reset: Duration,
}

/// Who shares a bucket.
struct Sharer {
    name: &'static str,
    scope: CounterScope,
    id: String,
}

impl RateLimits {
    pub(crate) fn new<'a>(
        contracts: impl IntoIterator<Item = &'a Contract>,
        shared: Arc<dyn Counters>,
        factors: LimitFactors,
    ) -> Self {
        let methods = contracts.into_iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
        let limited = methods.filter(|method| method.serves_users()).filter_map(|method| {
            // Who shares a limit by peer is known inside alone.
            let own: Vec<_> =
                method.limits.iter().filter(|limit| limit.per != LimitScope::Peer && limit.rate > 0).copied().collect();
            (!own.is_empty()).then_some((method.path, own))
        });
        Self { by_path: limited.collect(), shared, own: InProcess::new(), factors }
    }

    /// Counts a request by where it comes from.
    pub(crate) async fn count_address(&self, method: &MethodContract, client: IpAddr, standings: &Standings) -> Result<()> {
        self.count(method, standings, |limit| match limit.per {
            LimitScope::Address => Some(Sharer::address(client)),
            LimitScope::Tenant | LimitScope::User | LimitScope::Peer => None,
        })
        .await
    }

    /// Counts a request by whose it is.
    pub(crate) async fn count_principal(
        &self,
        method: &MethodContract,
        principal: &Principal,
        standings: &Standings,
    ) -> Result<()> {
        self.count(method, standings, |limit| Sharer::principal(limit.per, principal)).await?;
        match principal.tenant() {
            Some(tenant) => self.count_quota(tenant, standings).await,
            None => Ok(()),
        }
    }

    /// Counts a call against the quota of a tenant, if it has one.
    async fn count_quota(&self, tenant: TenantId, standings: &Standings) -> Result<()> {
        let Some(quota) = self.factors.quota(tenant) else { return Ok(()) };
        let rate = Rate::new(quota, DAY, quota).map_err(Error::internal)?;
        let key = CounterKey::new(QUOTA_COUNTER, CounterScope::Tenant(tenant), &quota).map_err(Error::internal)?;
        let taken = self.take(&key, rate).await.map_err(Error::internal)?;
        standings.add(Standing::of(QUOTA, quota, DAY, taken));
        refusal(taken, QUOTA, || "the tenant's quota of calls is used up".to_owned())
    }

    async fn count(
        &self,
        method: &MethodContract,
        standings: &Standings,
        sharer: impl Fn(&Limit) -> Option<Sharer>,
    ) -> Result<()> {
        let Some(limits) = self.by_path.get(method.path) else { return Ok(()) };
        let factor = self.factors.of(method.domain);
        for limit in limits {
            let Some(sharer) = sharer(limit) else { continue };
            let burst = burst(limit, factor);
            let rate = match rate(limit, factor, burst) {
                Ok(rate) => rate,
                // Stretched to more than one a microsecond: no limit at all.
                Err(RateError::TooFast) => continue,
                Err(error) => return Err(Error::internal(error)),
            };
            let subject = (method.path, sharer.name, limit.rate, &sharer.id);
            let key = CounterKey::new(COUNTER, sharer.scope, &subject).map_err(Error::internal)?;
            let taken = self.take(&key, rate).await.map_err(Error::internal)?;
            let window = Duration::from_secs_f64(f64::from(burst) / (f64::from(limit.rate) * factor));
            standings.add(Standing::of(sharer.name, burst, window, taken));
            refusal(taken, sharer.name, || format!("{} is called more often than its contract allows", method.path))?;
        }
        Ok(())
    }

    async fn take(&self, key: &CounterKey, rate: Rate) -> Result<Taken, CacheError> {
        match self.shared.take(key, rate).await {
            Err(CacheError::Unavailable(_) | CacheError::LeftAlone) => self.own.take(key, rate).await,
            taken => taken,
        }
    }
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").field("by_path", &self.by_path).finish_non_exhaustive()
    }
}

/// Refuses what found no room.
fn refusal(taken: Taken, limit: &str, message: impl FnOnce() -> String) -> Result<()> {
    match taken {
        Taken::Yes { .. } => Ok(()),
        Taken::Wait(wait) => {
            Err(Error::new(MeshReason::RateLimited, message()).with_metadata("limit", limit).with_retry_after(wait))
        }
    }
}

/// What may come at once.
fn burst(limit: &Limit, factor: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float's cast saturates, as it should")]
    // A bucket that holds no call would refuse all of them.
    let burst = (f64::from(limit.burst.max(limit.rate)) * factor).max(1.0) as u32;
    burst
}

fn rate(limit: &Limit, factor: f64, burst: u32) -> Result<Rate, RateError> {
    Rate::new(limit.rate, Duration::from_secs(1).div_f64(factor), burst)
}

impl Standing {
    fn of(name: &'static str, quota: u32, window: Duration, taken: Taken) -> Self {
        let (left, reset) = match taken {
            Taken::Yes { left, full_in } => (left, full_in),
            Taken::Wait(wait) => (0, wait),
        };
        Self { name, quota: u64::from(quota), window, left, reset }
    }
}

impl Sharer {
    fn address(client: IpAddr) -> Self {
        Self { name: "address", scope: CounterScope::Mesh, id: subscriber(client).to_string() }
    }

    fn principal(per: LimitScope, principal: &Principal) -> Option<Self> {
        let tenant = principal.tenant()?;
        let scope = CounterScope::Tenant(tenant);
        match per {
            LimitScope::Tenant => Some(Self { name: "tenant", scope, id: String::new() }),
            LimitScope::User => Some(Self { name: "user", scope, id: principal.to_string() }),
            LimitScope::Address | LimitScope::Peer => None,
        }
    }
}

impl Standings {
    fn add(&self, standing: Standing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(standing);
    }

    /// Tells the client.
    pub(crate) fn tell(&self, answered: &mut HeaderMap) {
        let standings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standings.is_empty() {
            return;
        }
        let (mut policy, mut state) = (String::new(), String::new());
        for Standing { name, quota, window, left, reset } in &*standings {
            let comma = if policy.is_empty() { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(policy, "{comma}\"{name}\";q={quota};w={}", seconds(*window));
            let _ = write!(state, "{comma}\"{name}\";r={left};t={}", seconds(*reset));
        }
        for (name, text) in [(&RATE_LIMIT_POLICY, policy), (&RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                answered.insert(name, value);
            }
        }
    }
}

/// Whole seconds, rather one too many: a client that comes too early comes twice.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use uuid::Uuid;
    use weft_call::{ServiceAccount, TenantId};

    use super::*;

    #[test]
    fn a_client_is_told_of_every_bucket_it_was_counted_in() {
        let standings = Standings::default();
        let mut headers = HeaderMap::new();
        standings.tell(&mut headers);
        assert!(headers.is_empty());
        let (window, reset) = (Duration::from_secs(10), Duration::from_millis(1200));
        standings.add(Standing { name: "address", quota: 100, window, left: 88, reset });
        standings.add(Standing { name: "user", quota: 5, window, left: 0, reset: Duration::ZERO });
        standings.tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"address\";q=100;w=10, \"user\";q=5;w=10");
        assert_eq!(headers["ratelimit"], "\"address\";r=88;t=2, \"user\";r=0;t=0");
    }

    #[test]
    fn factors_stretch_rate_and_burst_and_leave_a_call_at_least() {
        let limit = Limit { per: LimitScope::User, rate: 10, burst: 20 };
        assert_eq!([0.01, 0.5, 1.0, 2.0].map(|factor| burst(&limit, factor)), [1, 10, 20, 40]);
        assert_eq!(rate(&limit, 2.0, 40), Rate::new(20, Duration::from_secs(1), 40));
        let most = Limit { per: LimitScope::User, rate: u32::MAX, burst: 0 };
        assert_eq!(rate(&most, 100.0, burst(&most, 100.0)), Err(RateError::TooFast));
    }

    #[test]
    fn an_api_key_shares_with_nobody_but_its_tenant() {
        let account =
            |tenant| Principal::ServiceAccount(ServiceAccount { id: Uuid::now_v7(), tenant, roles: [].into(), epoch: 0 });
        let tenant = TenantId(Uuid::now_v7());
        let (one, other) = (account(tenant), account(tenant));
        let id = |per, principal| Sharer::principal(per, principal).unwrap().id;
        assert_ne!(id(LimitScope::User, &one), id(LimitScope::User, &other));
        assert_eq!(id(LimitScope::Tenant, &one), id(LimitScope::Tenant, &other));
        assert!(Sharer::principal(LimitScope::Tenant, &Principal::Anonymous).is_none());
    }
}
