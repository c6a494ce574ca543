//! One endpoint of a domain, and what is known of it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use weft_call::{Code, Deadline, Error, MeshReason, MethodContract, Result};
use weft_discovery::Endpoint;
use weft_telemetry::{EndpointState, Metrics, Side, States};

use super::{
    breaker::{Breaker, Ended},
    connection::Connection,
    link::{Link, Way},
    load::{Load, UnderWay},
};
use crate::{
    concurrency::{Limiter, Place},
    tuning::LiveTuning,
};

/// Who calls whom, and what all endpoints of the domain share.
pub(super) struct Callee {
    pub(super) caller: String,
    pub(super) domain: String,
    pub(super) metrics: Metrics,
    pub(super) tuning: LiveTuning,
}

/// One endpoint of a domain.
pub(super) struct Member {
    pub(super) breaker: Breaker,
    link: Arc<Link>,
    load: Load,
    limiter: Limiter,
    callee: Arc<Callee>,
}

impl Member {
    pub(super) fn new(endpoint: Endpoint, way: Arc<dyn Way>, callee: Arc<Callee>, now: Instant) -> Self {
        Self {
            breaker: Breaker::new(now),
            link: Arc::new(Link::new(endpoint, way, now)),
            load: Load::new(now),
            limiter: Limiter::new(callee.tuning.clone(), |tuning| &tuning.calling, now),
            callee,
        }
    }

    /// Where it is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.link.endpoint()
    }

    /// What the next call to it is likely to cost; only its order matters.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        self.load.cost(self.endpoint().weight, now)
    }

    /// Tells what is known of it.
    pub(super) fn observe(&self, states: &States) {
        let Callee { caller, domain, .. } = &*self.callee;
        states.endpoint(&EndpointState {
            caller,
            domain,
            endpoint: &self.endpoint().to_string(),
            is_ejected: !self.breaker.is_in_service(),
            load: self.cost(Instant::now()),
            in_flight: self.limiter.in_flight(),
            limit: self.limiter.limit(),
            queued: self.limiter.waiting(),
        });
    }

    /// True if it is in service and may have one more call.
    pub(super) fn is_eligible(&self) -> bool {
        self.breaker.is_in_service() && self.limiter.has_room()
    }
}

/// An endpoint that was picked for a call.
pub(super) struct Picked {
    pub(super) member: Arc<Member>,
    /// The call is the probe of an ejected endpoint.
    pub(super) is_probe: bool,
}

impl Picked {
    /// The connection to it, for a call that begins now.
    pub(super) async fn connection(&self, now: Instant) -> Result<Connection> {
        self.member.link.connection(now).await
    }

    /// Counts the call as under way until the guard goes.
    pub(super) fn under_way(&self) -> UnderWay<'_> {
        self.member.load.begin()
    }

    /// Waits until it may have one more call.
    pub(super) async fn enter(&self, deadline: Option<Deadline>) -> Result<Place<'_>> {
        let Callee { domain, metrics, .. } = &*self.member.callee;
        let entered = self.member.limiter.enter(domain, deadline).await;
        entered.inspect_err(|error| {
            if error.reason() == Some(MeshReason::Overloaded) {
                metrics.count_shed(Side::Client, domain);
            }
        })
    }

    /// Takes in how the call ended, and how long it took if that says something of the endpoint.
    /// True if it was too much for the endpoint.
    pub(super) fn observe(&self, outcome: Result<(), &Error>, took: Option<Duration>, method: Option<&MethodContract>) -> bool {
        let (member, now) = (&*self.member, Instant::now());
        let is_late = |took: Duration| {
            // A caller who left it less time than it usually takes has nothing to complain about.
            method.and_then(|method| member.limiter.usual(method)).is_none_or(|usual| took >= usual)
        };
        let (is_broken, is_overloaded) = match outcome.err().map(|error| (error.code(), error)) {
            Some((Code::Unavailable, _)) => (true, false),
            Some((Code::DeadlineExceeded, _)) => (took.is_some_and(is_late), took.is_some_and(is_late)),
            // One that is full works, and is best left alone for a moment.
            Some((Code::ResourceExhausted, error)) => (false, is_full(error)),
            _ => (false, false),
        };
        let pushback = outcome.err().and_then(Error::retry_after);
        match took {
            _ if is_broken || is_overloaded => member.load.failed(took.unwrap_or_default(), pushback, now),
            Some(took) => member.load.answered(took, now),
            None => {}
        }
        let ended = Ended { failed: is_broken, probed: self.is_probe };
        if member.breaker.observe(ended, &member.callee.tuning.load().breaker, fastrand::f64(), now) {
            let Callee { domain, metrics, .. } = &*member.callee;
            tracing::warn!(domain, endpoint = %member.endpoint(), "an endpoint is ejected: its calls fail");
            metrics.count_ejection(domain, &member.endpoint().to_string());
        }
        is_overloaded
    }
}

/// A limit of the contract is the caller's, not the endpoint's; a peer of another make may give no
/// reason.
fn is_full(error: &Error) -> bool {
    error.reason_name().is_none() || error.reason() == Some(MeshReason::Overloaded)
}
