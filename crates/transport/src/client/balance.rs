//! Which endpoint of a domain gets the next call.
//!
//! Rule: of two endpoints drawn at random the one with the lower [`Load`] gets it; ejected ones
//! ([`Breaker`]) are not drawn. An ejected endpoint whose time has come gets one call at a time that
//! may be sent again, so that a failed probe costs its caller a retry and nothing else. With every
//! endpoint ejected all are drawn: never the last one is given up. Recovery: endpoints come and go
//! as discovery says; one that stays keeps its connection and what is known of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tonic::transport::Channel;
use weft_call::{Code, Error};
use weft_discovery::{Endpoint, Endpoints};

use super::{
    breaker::{Breaker, Ended},
    load::{Load, UnderWay},
};
use crate::tuning::LiveTuning;

/// Makes the connection to an endpoint; nothing is connected before it is called.
type Open = Box<dyn Fn(&Endpoint) -> Channel + Send + Sync>;

/// The endpoints of one domain.
pub(super) struct Balancer {
    domain: Arc<str>,
    open: Open,
    tuning: LiveTuning,
    state: Mutex<State>,
}

struct State {
    endpoints: watch::Receiver<Endpoints>,
    members: Arc<[Arc<Member>]>,
}

/// One endpoint and what is known of it.
pub(super) struct Member {
    endpoint: Endpoint,
    channel: Channel,
    load: Load,
    breaker: Breaker,
}

/// The endpoints that one call was sent to already.
#[derive(Default)]
pub(super) struct Tried(Vec<Arc<Member>>);

/// An endpoint that was picked, for as long as the call runs.
pub(super) struct Picked {
    member: Arc<Member>,
    is_probe: bool,
    began: Instant,
    tuning: LiveTuning,
}

impl Balancer {
    pub(super) fn new(domain: &str, mut endpoints: watch::Receiver<Endpoints>, open: Open, tuning: LiveTuning) -> Self {
        endpoints.mark_changed();
        Self { domain: domain.into(), open, tuning, state: Mutex::new(State { endpoints, members: Arc::default() }) }
    }

    /// The endpoint for the next call, if any is known: one that was not tried, if there is any.
    /// What `probes` may be what an ejected endpoint is tried with.
    pub(super) fn pick(&self, probes: bool, tried: &Tried) -> Option<Picked> {
        let (members, now) = (self.members(), Instant::now());
        let (member, is_probe) = choose(&members, probes, tried, now)?;
        Some(Picked { member: Arc::clone(member), is_probe, began: now, tuning: self.tuning.clone() })
    }

    /// Whether an endpoint is in service that is neither this one nor one that was tried.
    pub(super) fn has_other(&self, picked: &Picked, tried: &Tried) -> bool {
        let is_other = |member: &Arc<Member>| !Arc::ptr_eq(member, &picked.member) && !tried.has(member);
        self.members().iter().any(|member| member.breaker.is_in_service() && is_other(member))
    }

    /// The endpoints that discovery names now.
    fn members(&self) -> Arc<[Arc<Member>]> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.endpoints.has_changed().unwrap_or(false) {
            let named = Arc::clone(&state.endpoints.borrow_and_update());
            state.members = named.iter().map(|endpoint| self.member(&state.members, endpoint)).collect();
            tracing::debug!(domain = %self.domain, endpoints = named.len(), "discovery names other endpoints");
        }
        Arc::clone(&state.members)
    }

    /// The member of an endpoint: the one that is known, or a new one.
    fn member(&self, known: &[Arc<Member>], endpoint: &Endpoint) -> Arc<Member> {
        let same = |member: &&Arc<Member>| member.endpoint == *endpoint;
        known.iter().find(same).cloned().unwrap_or_else(|| {
            let now = Instant::now();
            let channel = (self.open)(endpoint);
            Arc::new(Member { endpoint: endpoint.clone(), channel, load: Load::new(now), breaker: Breaker::new(now) })
        })
    }
}

impl std::fmt::Debug for Balancer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Balancer").field(&self.domain).finish()
    }
}

/// The endpoint, and whether the call is its probe.
fn choose<'m>(members: &'m [Arc<Member>], probes: bool, tried: &Tried, now: Instant) -> Option<(&'m Arc<Member>, bool)> {
    if let [only] = members {
        return Some((only, only.breaker.claim_probe(now)));
    }
    if probes && let Some(probed) = members.iter().find(|member| member.breaker.claim_probe(now)) {
        return Some((probed, true));
    }
    let in_service: Vec<_> = members.iter().filter(|member| member.breaker.is_in_service()).collect();
    if !tried.0.is_empty() {
        let others: Vec<_> = in_service.iter().copied().filter(|member| !tried.has(member)).collect();
        if !others.is_empty() {
            return cheaper_of_two(&others, now).map(|member| (member, false));
        }
    }
    let chosen = match in_service.len() {
        0 => cheaper_of_two(&members.iter().collect::<Vec<_>>(), now),
        _ => cheaper_of_two(&in_service, now),
    };
    chosen.map(|member| (member, false))
}

/// Two random choices (Mitzenmacher 2001): nearly as good as asking all, and no herd follows.
fn cheaper_of_two<'m>(members: &[&'m Arc<Member>], now: Instant) -> Option<&'m Arc<Member>> {
    if members.len() < 2 {
        return members.first().copied();
    }
    let first = fastrand::usize(..members.len());
    let second = (first + fastrand::usize(1..members.len())) % members.len();
    let cost = |index: usize| members[index].load.cost(members[index].endpoint.weight, now);
    Some(members[if cost(second) < cost(first) { second } else { first }])
}

impl Tried {
    pub(super) fn add(&mut self, picked: &Picked) {
        self.0.push(Arc::clone(&picked.member));
    }

    fn has(&self, member: &Arc<Member>) -> bool {
        self.0.iter().any(|tried| Arc::ptr_eq(tried, member))
    }
}

impl Picked {
    /// The connection to it.
    pub(super) fn channel(&self) -> Channel {
        self.member.channel.clone()
    }

    /// Counts the call as under way until the guard goes.
    pub(super) fn under_way(&self) -> UnderWay<'_> {
        self.member.load.begin()
    }

    /// Takes in how the call ended.
    pub(super) fn observe(&self, outcome: Result<(), &Error>) {
        self.settle(outcome.err().map(Error::code));
    }

    /// The same by the code alone; `None` for success.
    pub(super) fn settle(&self, code: Option<Code>) {
        let now = Instant::now();
        let broken = matches!(code, Some(Code::Unavailable | Code::DeadlineExceeded));
        // One that is full works, and is best left alone for a moment.
        let failed = broken || code == Some(Code::ResourceExhausted);
        let took: Duration = now.saturating_duration_since(self.began);
        self.member.load.observe(took, failed, now);
        let ended = Ended { failed: broken, probed: self.is_probe };
        if self.member.breaker.observe(ended, &self.tuning.load().breaker, fastrand::f64(), now) {
            tracing::warn!(endpoint = %self.member.endpoint, "an endpoint is ejected: its calls fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn balancer(ports: &[u16]) -> (watch::Sender<Endpoints>, Balancer) {
        let (sender, receiver) = watch::channel(endpoints(ports));
        let open: Open = Box::new(|_| tonic::transport::Endpoint::from_static("http://mesh.invalid").connect_lazy());
        (sender, Balancer::new("orders", receiver, open, LiveTuning::default()))
    }

    fn endpoints(ports: &[u16]) -> Endpoints {
        ports.iter().map(|port| Endpoint::new("127.0.0.1", *port)).collect()
    }

    fn picks(balancer: &Balancer, calls: usize, outcome: impl Fn(u16) -> Option<Code>) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            let Some(picked) = balancer.pick(false, &Tried::default()) else { continue };
            let port = picked.member.endpoint.port;
            *counts.entry(port).or_default() += 1;
            picked.settle(outcome(port));
        }
        counts
    }

    #[tokio::test]
    async fn calls_go_where_discovery_says_and_what_stays_is_kept() {
        let (sender, balancer) = balancer(&[]);
        assert!(balancer.pick(true, &Tried::default()).is_none());
        let _ = sender.send(endpoints(&[1, 2]));
        assert_eq!(picks(&balancer, 200, |_| None).len(), 2);
        let kept = balancer.members();
        let _ = sender.send(endpoints(&[2, 3]));
        let members = balancer.members();
        assert!(Arc::ptr_eq(&kept[1], &members[0]));
        assert!(!picks(&balancer, 200, |_| None).contains_key(&1));
    }

    #[tokio::test]
    async fn traffic_leaves_an_endpoint_that_fails() {
        let (_sender, balancer) = balancer(&[1, 2, 3]);
        let counts = picks(&balancer, 1000, |port| (port == 2).then_some(Code::Unavailable));
        assert!(counts.get(&2).is_none_or(|calls| *calls <= 5), "{counts:?}");
    }

    #[tokio::test]
    async fn an_endpoint_that_fails_fast_does_not_attract_traffic() {
        let (_sender, balancer) = balancer(&[1, 2]);
        // Full, not broken: it is never ejected, and still gets little.
        let counts = picks(&balancer, 1000, |port| (port == 2).then_some(Code::ResourceExhausted));
        assert!(counts.get(&2).is_none_or(|calls| *calls < 100), "{counts:?}");
    }

    #[tokio::test]
    async fn a_repeat_goes_to_an_endpoint_that_was_not_tried() {
        let (_sender, balancer) = balancer(&[1, 2, 3]);
        for _ in 0..50 {
            let mut tried = Tried::default();
            let ports: std::collections::BTreeSet<_> = (0..3)
                .filter_map(|_| {
                    let picked = balancer.pick(false, &tried)?;
                    assert_eq!(balancer.has_other(&picked, &tried), tried.0.len() < 2);
                    tried.add(&picked);
                    Some(picked.member.endpoint.port)
                })
                .collect();
            assert_eq!(ports.len(), 3);
            assert!(balancer.pick(false, &tried).is_some(), "better twice than never");
        }
    }

    #[tokio::test]
    async fn the_last_endpoint_is_never_given_up() {
        let (_sender, balancer) = balancer(&[1]);
        assert_eq!(picks(&balancer, 50, |_| Some(Code::Unavailable)).get(&1), Some(&50));
        let (_sender, balancer) = self::balancer(&[1, 2]);
        assert_eq!(picks(&balancer, 50, |_| Some(Code::Unavailable)).values().sum::<usize>(), 50);
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
        let probe = balancer.pick(true, &Tried::default()).map(|picked| {
            picked.settle(None);
            picked.member.endpoint.port
        });
        assert_eq!(probe, Some(1));
        assert!(members[0].breaker.is_in_service());
    }
}
