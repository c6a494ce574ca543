//! How often callers may call: the limits of the contracts.
//!
//! Rule: each limit is a bucket of `burst` calls that fills by `rate` a second, one for each tenant,
//! user, calling domain or address (the generic cell rate algorithm, ITU-T I.371 annex A: one number
//! a bucket, no timer). A call that finds no room is refused with the time to wait. Buckets are
//! counted in this process; those that were used once, long ago, are forgotten first, so that strangers
//! with many addresses cannot fill the memory. Recovery: wait as `RetryInfo` says.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use uuid::Uuid;
use weft_call::{Contract, Error, Limit, LimitScope, MeshReason, MethodContract, Principal, Result, TenantId};

use crate::LimitFactors;

/// Buckets that a limit remembers.
const BUCKETS: u64 = 100_000;
/// Buckets that it has room for from the beginning.
const EXPECTED: usize = 256;

/// Who calls, as far as it is known where the limit is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The tenant that the call is for.
    pub tenant: Option<TenantId>,
    /// On whose account.
    pub principal: &'a Principal,
    /// The calling domain.
    pub peer: Option<&'a str>,
    /// The address that the call comes from.
    pub address: Option<IpAddr>,
}

/// The limits of some methods, with what is left of each.
#[derive(Debug)]
pub struct RateLimits {
    by_path: HashMap<&'static str, Vec<Limiter>>,
    factors: LimitFactors,
    started: Instant,
}

#[derive(Debug)]
struct Limiter {
    limit: Limit,
    buckets: Cache<Key, Arc<Bucket>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Tenant(Uuid),
    Principal(Uuid),
    Peer(Box<str>),
    Address(IpAddr),
}

/// When the bucket will be full again, in nanoseconds after the start.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl RateLimits {
    /// The limits of these contracts that are shared by one of `scopes`: who counts says what it knows of
    /// callers.
    pub fn of<'a>(contracts: impl IntoIterator<Item = &'a Contract>, scopes: &[LimitScope]) -> Self {
        let methods = contracts.into_iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
        let limited = methods.filter_map(|method| {
            let own = method.limits.iter().filter(|limit| scopes.contains(&limit.per) && limit.rate > 0);
            let limiters: Vec<_> = own.map(|limit| Limiter::new(*limit)).collect();
            (!limiters.is_empty()).then_some((method.path, limiters))
        });
        Self { by_path: limited.collect(), factors: LimitFactors::default(), started: Instant::now() }
    }

    /// The same, stretched by factors that may change at any time.
    #[must_use]
    pub fn stretched_by(mut self, factors: LimitFactors) -> Self {
        self.factors = factors;
        self
    }

    /// Counts a call, or refuses it with the time to wait.
    pub fn check(&self, method: &MethodContract, caller: Counted<'_>) -> Result<()> {
        match self.by_path.get(method.path) {
            None => Ok(()),
            Some(limiters) => {
                let (now, factor) = (self.started.elapsed(), self.factors.of(method.domain));
                limiters.iter().try_for_each(|limiter| limiter.check(method, caller, factor, now))
            }
        }
    }
}

impl Limiter {
    fn new(limit: Limit) -> Self {
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { limit, buckets: Cache::with(EXPECTED, BUCKETS, UnitWeighter, hasher, lifecycle) }
    }

    fn check(&self, method: &MethodContract, caller: Counted<'_>, factor: f64, now: Duration) -> Result<()> {
        // Who is not known cannot share: the other conditions of the contract hold all the same.
        let Some(key) = key(self.limit.per, caller) else { return Ok(()) };
        let made = || Ok::<_, Infallible>(Arc::default());
        let Ok(bucket): Result<Arc<Bucket>, _> = self.buckets.get_or_insert_with(&key, made);
        bucket.take(self.limit, factor, now).map_err(|wait| {
            let message = format!("{} is called more often than its contract allows", method.path);
            Error::new(MeshReason::RateLimited, message).with_retry_after(wait)
        })
    }
}

impl Bucket {
    /// Takes one call out, or says how long to wait for it.
    fn take(&self, limit: Limit, factor: f64, now: Duration) -> Result<(), Duration> {
        let now = nanoseconds(now);
        let each = nanoseconds(Duration::from_secs(1).div_f64(f64::from(limit.rate) * factor));
        // A bucket that holds no call would refuse all of them.
        let burst = (f64::from(limit.burst.max(limit.rate)) * factor).max(1.0);
        let room = nanoseconds(Duration::from_nanos(each).mul_f64(burst));
        let mut full = self.0.load(Ordering::Relaxed);
        loop {
            let next = full.max(now) + each;
            if next - now > room {
                return Err(Duration::from_nanos(next - now - room));
            }
            match self.0.compare_exchange_weak(full, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => full = current,
            }
        }
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn key(per: LimitScope, caller: Counted<'_>) -> Option<Key> {
    match per {
        LimitScope::Tenant => caller.tenant.map(|tenant| Key::Tenant(tenant.0)),
        LimitScope::User => match caller.principal {
            Principal::User(user) => Some(Key::Principal(user.id)),
            Principal::ServiceAccount(account) => Some(Key::Principal(account.id)),
            Principal::Anonymous | Principal::Workload(_) | Principal::Job { .. } => None,
        },
        LimitScope::Peer => caller.peer.map(|peer| Key::Peer(peer.into())),
        LimitScope::Address => caller.address.map(|address| Key::Address(subscriber(address))),
    }
}

/// One subscriber's addresses: IPv6 gives each a network of 64 bits (RFC 6177).
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { per: LimitScope::Address, rate: 10, burst: 20 };

    fn taken(bucket: &Bucket, calls: usize, now: Duration) -> usize {
        (0..calls).filter(|_| bucket.take(LIMIT, 1.0, now).is_ok()).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_its_rate_after() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 100, Duration::from_secs(5)), 20);
        assert_eq!(bucket.take(LIMIT, 1.0, Duration::from_secs(5)), Err(Duration::from_millis(100)));
        assert_eq!(taken(&bucket, 100, Duration::from_secs(6)), 10);
        assert_eq!(taken(&bucket, 100, Duration::from_mins(9)), 20, "a pause fills it and no more");
    }

    #[test]
    fn a_factor_stretches_rate_and_burst_and_leaves_a_call_at_least() {
        let taken = |bucket: &Bucket, factor, now| (0..1000).filter(|_| bucket.take(LIMIT, factor, now).is_ok()).count();
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 2.0, Duration::from_secs(5)), 40);
        assert_eq!(taken(&bucket, 2.0, Duration::from_secs(6)), 20);
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, 0.01, Duration::from_secs(5)), 1);
        assert_eq!(taken(&bucket, 0.01, Duration::from_secs(14)), 0);
        assert_eq!(taken(&bucket, 0.01, Duration::from_secs(15)), 1, "a tenth of a call a second");
    }

    #[test]
    fn a_refused_call_takes_nothing() {
        let bucket = Bucket::default();
        taken(&bucket, 1000, Duration::ZERO);
        assert_eq!(taken(&bucket, 1, Duration::from_millis(100)), 1);
    }

    #[test]
    fn a_subscribers_addresses_share_a_bucket() {
        let address = |text: &str| text.parse::<IpAddr>().map(subscriber);
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }
}
