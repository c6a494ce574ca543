//! Which endpoint of a domain gets the next call.
//!
//! It stands within the retries, so that each attempt is drawn anew, and right before the wire.
//!
//! Rule: of two endpoints drawn at random the one with the lower [`Load`] gets it; those that are
//! ejected ([`Breaker`]) or have as many calls from here as go well ([`Limiter`]) are not drawn. An
//! ejected endpoint whose time has come gets one call at a time that may be sent again, so that a
//! failed probe costs its caller a retry and nothing else. With every endpoint ejected all are drawn:
//! never the last one is given up. With every endpoint at its limit the call waits for a place.
//! Recovery: endpoints come and go as discovery says; one that stays keeps its connection and what is
//! known of it.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tracing::Span;
use weft_call::{MethodContract, Payload, Reply, Result};
use weft_discovery::{Endpoint, Endpoints};
use weft_telemetry::{States, is_sampled, record_endpoint};

use super::{
    deadline::spent,
    exchange::exchange,
    layer::{Attempt, GivingUp, Layer, Outgoing, Tried},
    link::Way,
    member::{Callee, Member, Picked},
};

/// Sends calls to the endpoint that is likely to answer first.
pub(super) struct Balanced(pub(super) Arc<Balancer>);

impl Layer for Balanced {
    async fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        let Outgoing { method, attempt, .. } = outgoing;
        let picked = self.0.pick(attempt).ok_or_else(|| super::unknown(method.domain))?;
        let _under_way = picked.under_way();
        let span = Span::current();
        if !span.is_disabled() && is_sampled(outgoing.call.trace()) {
            let endpoint = picked.member.endpoint();
            record_endpoint(&span, &endpoint.host, endpoint.port);
        }
        let result = self.through(&picked, outgoing).await;
        if let (Err(_), Some(tried)) = (&result, attempt.tried) {
            tried.add(&picked.member);
        }
        result
    }
}

impl Balanced {
    /// Sends the call to the endpoint once there is room for it, and takes in how it ended.
    async fn through(&self, picked: &Picked, outgoing: Outgoing<'_>) -> Result<Reply<Payload>> {
        let Outgoing { method, deadline, attempt, .. } = outgoing;
        let place = picked.enter(deadline).await?;
        // The requests of a stream are sent while it is open: how long that takes says nothing, and
        // a stream holds no place among calls that end.
        let streams = matches!(outgoing.request, Payload::Stream(_));
        let place = (!streams).then_some(place);
        let began = Instant::now();
        let mut exchange = pin!(async { exchange(picked.connection(began).await?, outgoing).await });
        let early = match attempt.giving_up {
            Some(giving_up) => self.patiently(picked, attempt.tried, giving_up, method, exchange.as_mut()).await,
            None => None,
        };
        let result = match (early, deadline) {
            (Some(result), _) => result,
            (None, None) => exchange.await,
            (None, Some(deadline)) => timeout_at(deadline.instant(), exchange).await.unwrap_or_else(|_| Err(spent(method))),
        };
        let took = began.elapsed();
        let overloaded = picked.observe(result.as_ref().map(drop), (!streams).then_some(took), Some(method));
        if let Some(place) = place {
            place.leave(method, took, overloaded);
        }
        result
    }

    /// Waits for the answer with the attempt's patience. After that the attempt fails if another
    /// endpoint may answer and there is a retry left; else it is to be waited for to the end.
    async fn patiently(
        &self,
        picked: &Picked,
        tried: Option<&Tried>,
        GivingUp { patience, budget }: GivingUp<'_>,
        method: &MethodContract,
        exchange: Pin<&mut impl Future<Output = Result<Reply<Payload>>>>,
    ) -> Option<Result<Reply<Payload>>> {
        if let Ok(result) = timeout(patience, exchange).await {
            return Some(result);
        }
        let tried = tried.filter(|tried| self.0.has_other(picked, tried))?;
        if !budget.withdraw(Instant::now()) {
            return None;
        }
        tracing::debug!(?patience, "an endpoint does not answer: the call is sent to another");
        tried.give_up();
        Some(Err(spent(method)))
    }
}

/// The endpoints of one domain.
pub(super) struct Balancer {
    callee: Arc<Callee>,
    way: Arc<dyn Way>,
    state: Mutex<State>,
}

struct State {
    endpoints: watch::Receiver<Endpoints>,
    members: Arc<[Arc<Member>]>,
}

impl Balancer {
    pub(super) fn new(callee: Arc<Callee>, mut endpoints: watch::Receiver<Endpoints>, way: Arc<dyn Way>) -> Self {
        endpoints.mark_changed();
        Self { callee, way, state: Mutex::new(State { endpoints, members: Arc::default() }) }
    }

    /// The endpoint for the next call, if any is known: one that was not tried, if there is any.
    pub(super) fn pick(&self, attempt: Attempt<'_>) -> Option<Picked> {
        let members = self.members();
        let (member, is_probe) = choose(&members, attempt, Instant::now())?;
        Some(Picked { member: Arc::clone(member), is_probe })
    }

    /// Tells what is known of each endpoint.
    pub(super) fn observe(&self, states: &States) {
        self.members().iter().for_each(|member| member.observe(states));
    }

    /// Whether an endpoint is in service that is neither this one nor one that was tried.
    fn has_other(&self, picked: &Picked, tried: &Tried) -> bool {
        let is_other = |member: &Arc<Member>| !Arc::ptr_eq(member, &picked.member) && !tried.has(member);
        self.members().iter().any(|member| member.breaker.is_in_service() && is_other(member))
    }

    /// The endpoints that discovery names now.
    fn members(&self) -> Arc<[Arc<Member>]> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A resolver that has ended changes nothing any more; what it said last may not have been read yet.
        if state.endpoints.has_changed().unwrap_or(state.members.is_empty()) {
            let named = Arc::clone(&state.endpoints.borrow_and_update());
            state.members = named.iter().map(|endpoint| self.member(&state.members, endpoint)).collect();
            tracing::debug!(domain = self.callee.domain, endpoints = named.len(), "discovery names other endpoints");
        }
        Arc::clone(&state.members)
    }

    /// The member of an endpoint: the one that is known, or a new one.
    fn member(&self, known: &[Arc<Member>], endpoint: &Endpoint) -> Arc<Member> {
        let same = |member: &&Arc<Member>| member.endpoint() == endpoint;
        let new = || Member::new(endpoint.clone(), Arc::clone(&self.way), Arc::clone(&self.callee), Instant::now());
        known.iter().find(same).cloned().unwrap_or_else(|| Arc::new(new()))
    }
}

impl std::fmt::Debug for Balancer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Balancer").field(&self.callee.domain).finish()
    }
}

/// The endpoint, and whether the call is its probe.
fn choose<'m>(members: &'m [Arc<Member>], attempt: Attempt<'_>, now: Instant) -> Option<(&'m Arc<Member>, bool)> {
    if let [only] = members {
        return Some((only, only.breaker.claim_probe(now)));
    }
    if attempt.probes
        && let Some(probed) = members.iter().find(|member| member.breaker.claim_probe(now))
    {
        return Some((probed, true));
    }
    let is_new = |member: &Arc<Member>| attempt.tried.is_none_or(|tried| !tried.has(member));
    let chosen = cheaper_of_two(members, now, |member| member.is_eligible() && is_new(member))
        .or_else(|| cheaper_of_two(members, now, |member| member.breaker.is_in_service() && is_new(member)))
        .or_else(|| cheaper_of_two(members, now, |member| member.breaker.is_in_service()))
        .or_else(|| cheaper_of_two(members, now, |_| true));
    chosen.map(|member| (member, false))
}

/// Two random choices (Mitzenmacher 2001): nearly as good as asking all, and no herd follows.
fn cheaper_of_two(members: &[Arc<Member>], now: Instant, eligible: impl Fn(&Arc<Member>) -> bool) -> Option<&Arc<Member>> {
    let count = members.iter().filter(|member| eligible(member)).count();
    let nth = |nth: usize| members.iter().filter(|member| eligible(member)).nth(nth);
    if count < 2 {
        return nth(0);
    }
    let first = fastrand::usize(..count);
    let second = (first + fastrand::usize(1..count)) % count;
    // Meanwhile another call may have taken the last place of one of them.
    match (nth(first), nth(second)) {
        (Some(first), Some(second)) => Some(if second.cost(now) < first.cost(now) { second } else { first }),
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::{
        collections::{BTreeMap, BTreeSet},
        io,
        time::Duration,
    };

    use weft_call::{BoxFuture, Error, MeshReason};
    use weft_telemetry::Metrics;

    use super::{
        super::{breaker::Ended, connection::Connection},
        *,
    };
    use crate::tuning::{LiveTuning, Tuning};

    const PROBES: Attempt<'static> = Attempt { probes: true, tried: None, giving_up: None };

    /// Never connected.
    struct Nowhere;

    impl Way for Nowhere {
        fn open<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>> {
            Box::pin(async { Err(io::ErrorKind::NotConnected.into()) })
        }

        fn max_age(&self) -> Duration {
            Duration::from_hours(1)
        }
    }

    fn callee(tuning: LiveTuning) -> Arc<Callee> {
        Arc::new(Callee { caller: "carts".to_owned(), domain: "orders".to_owned(), metrics: Metrics::new(), tuning })
    }

    fn balancer(ports: &[u16]) -> (watch::Sender<Endpoints>, Balancer) {
        let (sender, receiver) = watch::channel(endpoints(ports));
        (sender, Balancer::new(callee(LiveTuning::default()), receiver, Arc::new(Nowhere)))
    }

    fn endpoints(ports: &[u16]) -> Endpoints {
        ports.iter().map(|port| Endpoint::new("127.0.0.1", *port)).collect()
    }

    fn picks(balancer: &Balancer, calls: usize, outcome: impl Fn(u16) -> Option<MeshReason>) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            let Some(picked) = balancer.pick(Attempt::default()) else { continue };
            let port = picked.member.endpoint().port;
            *counts.entry(port).or_default() += 1;
            let failed = outcome(port).map(|reason| Error::new(reason, ""));
            picked.observe(failed.as_ref().map_or(Ok(()), Err), Some(Duration::from_micros(5)), None);
        }
        counts
    }

    #[tokio::test]
    async fn calls_go_where_discovery_says_and_what_stays_is_kept() {
        let (sender, balancer) = balancer(&[]);
        assert!(balancer.pick(PROBES).is_none());
        let _ = sender.send(endpoints(&[1, 2]));
        assert_eq!(picks(&balancer, 200, |_| None).len(), 2);
        let kept = balancer.members();
        let _ = sender.send(endpoints(&[2, 3]));
        let members = balancer.members();
        assert!(Arc::ptr_eq(&kept[1], &members[0]));
        assert!(!picks(&balancer, 200, |_| None).contains_key(&1));
    }

    #[tokio::test]
    async fn what_a_resolver_said_before_it_ended_holds() {
        let (sender, balancer) = balancer(&[1, 2]);
        drop(sender);
        assert_eq!(picks(&balancer, 200, |_| None).len(), 2);
    }

    #[tokio::test]
    async fn traffic_leaves_an_endpoint_that_fails() {
        let (_sender, balancer) = balancer(&[1, 2, 3]);
        let counts = picks(&balancer, 1000, |port| (port == 2).then_some(MeshReason::UpstreamUnavailable));
        assert!(counts.get(&2).is_none_or(|calls| *calls <= 5), "{counts:?}");
    }

    #[tokio::test]
    async fn an_endpoint_that_fails_fast_does_not_attract_traffic() {
        let (_sender, balancer) = balancer(&[1, 2]);
        // Full, not broken: it is never ejected, and still gets little.
        let counts = picks(&balancer, 1000, |port| (port == 2).then_some(MeshReason::Overloaded));
        assert!(counts.get(&2).is_none_or(|calls| *calls < 100), "{counts:?}");
    }

    #[tokio::test]
    async fn a_repeat_goes_to_an_endpoint_that_was_not_tried() {
        let (_sender, balancer) = balancer(&[1, 2, 3]);
        for _ in 0..50 {
            let tried = Tried::default();
            let attempt = Attempt { tried: Some(&tried), ..Attempt::default() };
            let ports: BTreeSet<_> = (0..3)
                .filter_map(|before| {
                    let picked = balancer.pick(attempt)?;
                    assert_eq!(balancer.has_other(&picked, &tried), before < 2);
                    tried.add(&picked.member);
                    Some(picked.member.endpoint().port)
                })
                .collect();
            assert_eq!(ports.len(), 3);
            assert!(balancer.pick(attempt).is_some(), "better twice than never");
        }
    }

    #[tokio::test]
    async fn the_last_endpoint_is_never_given_up() {
        let (_sender, balancer) = balancer(&[1]);
        assert_eq!(picks(&balancer, 50, |_| Some(MeshReason::UpstreamUnavailable)).get(&1), Some(&50));
        let (_sender, balancer) = self::balancer(&[1, 2]);
        assert_eq!(picks(&balancer, 50, |_| Some(MeshReason::UpstreamUnavailable)).values().sum::<usize>(), 50);
    }

    #[tokio::test]
    async fn only_a_call_that_may_be_sent_again_probes_an_ejected_endpoint() {
        let (_sender, balancer) = balancer(&[1, 2]);
        let members = balancer.members();
        let long_ago = Instant::now().checked_sub(Duration::from_mins(2)).unwrap_or_else(Instant::now);
        for _ in 0..5 {
            let ended = Ended { failed: true, probed: false };
            members[0].breaker.observe(ended, &LiveTuning::default().load().breaker, 0.0, long_ago);
        }
        assert_eq!(picks(&balancer, 50, |_| None).get(&2), Some(&50));
        let probe = balancer.pick(PROBES).map(|picked| {
            picked.observe(Ok(()), None, None);
            picked.member.endpoint().port
        });
        assert_eq!(probe, Some(1));
        assert!(members[0].breaker.is_in_service());
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_at_its_limit_is_left_to_those_that_have_room() {
        let (_sender, receiver) = watch::channel(endpoints(&[1, 2]));
        let mut tuning = Tuning::default();
        (tuning.calling.least, tuning.calling.initial) = (2, 2);
        let balancer = Balancer::new(callee(LiveTuning::new(tuning).unwrap()), receiver, Arc::new(Nowhere));
        let picked: Vec<_> = (0..50).filter_map(|_| balancer.pick(Attempt::default())).collect();
        let full = picked.iter().find(|picked| picked.member.endpoint().port == 1).unwrap();
        let places = [full.enter(None).await.unwrap(), full.enter(None).await.unwrap()];
        assert_eq!(picks(&balancer, 50, |_| None).get(&2), Some(&50));
        drop(places);
        assert_eq!(picks(&balancer, 50, |_| None).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_too_short_does_not_eject_the_endpoint() {
        let (_sender, balancer) = balancer(&[1, 2]);
        let members = balancer.members();
        let method = crate::fixture::method("orders");
        let late = Error::new(MeshReason::DeadlineSpent, "");
        let usual = Duration::from_millis(100);
        let picked = Picked { member: Arc::clone(&members[0]), is_probe: false };
        picked.enter(None).await.unwrap().leave(method, usual, false);
        for _ in 0..10 {
            assert!(!picked.observe(Err(&late), Some(usual / 2), Some(method)));
        }
        assert!(members[0].breaker.is_in_service());
        for _ in 0..5 {
            assert!(picked.observe(Err(&late), Some(usual * 2), Some(method)));
        }
        assert!(!members[0].breaker.is_in_service());
        let text = balancer.callee.metrics.render();
        assert!(text.contains("weft_endpoint_ejections_total{domain=\"orders\",endpoint=\"127.0.0.1:1\"} 1"), "{text}");
    }
}
