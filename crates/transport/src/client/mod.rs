//! The client side: calls to other domains. The stack is [`Upstreams::stack`].

mod balance;
mod body;
mod breaker;
mod connect;
mod connection;
mod deadline;
mod exchange;
mod forward;
mod layer;
mod link;
mod load;
mod measure;
mod member;
mod retry;
mod roots;
mod streams;
mod transaction;
mod unary;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

pub use forward::ForwardBody;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;
use weft_call::{Error, MeshReason, Upstream};
use weft_discovery::Resolver;
use weft_telemetry::{Metrics, Observed, Side, SideMetrics, States};
use weft_workload_identity::{CertificateSource, WorkloadName, client_config};

use crate::{
    error::TransportError,
    socket::{Dialer, Tcp},
    tuning::LiveTuning,
};
use balance::{Balanced, Balancer};
use connect::{MutualTls, Plaintext, ServerTls};
use deadline::Bounded;
use layer::{Layer, Stack};
use link::Way;
use measure::Measured;
use member::Callee;
use retry::{Retried, RetryBudget};
use streams::Streams;
use transaction::OutsideTransactions;

/// The connections of one workload to the domains that it calls. Cloning it shares them.
#[derive(Clone)]
pub struct Upstreams(Arc<Shared>);

struct Shared {
    own: WorkloadName,
    resolver: Arc<dyn Resolver>,
    dialer: Arc<dyn Dialer>,
    proof: Proof,
    metrics: Metrics,
    calls: Arc<SideMetrics>,
    tuning: LiveTuning,
    domains: Mutex<HashMap<String, Domain>>,
}

/// How the two ends of a connection prove who they are.
enum Proof {
    /// Each to the other, as workloads of a mesh.
    Mutual(Arc<dyn CertificateSource>),
    /// The server, by its name.
    Server(Arc<ClientConfig>),
    /// They do not.
    None,
}

/// The ways to one domain, and the retries that its callers here share.
#[derive(Clone)]
struct Domain {
    balancer: Arc<Balancer>,
    retries: Arc<RetryBudget>,
    /// Tells metrics about the two.
    _observed: Arc<Known>,
}

/// What is known of a domain that is called.
struct Known {
    callee: Arc<Callee>,
    balancer: Arc<Balancer>,
    retries: Arc<RetryBudget>,
}

impl Observed for Known {
    fn observe(&self, states: &States) {
        self.balancer.observe(states);
        states.retry_budget(&self.callee.caller, &self.callee.domain, self.retries.balance(Instant::now()));
    }
}

impl Upstreams {
    /// For the workload `own`. Nothing is connected before it is called.
    pub fn new(
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        certificates: Arc<dyn CertificateSource>,
        metrics: Metrics,
        tuning: LiveTuning,
    ) -> Self {
        Self::over(Arc::new(Tcp), own, resolver, certificates, metrics, tuning)
    }

    /// The same over another network than the operating system's.
    pub fn over(
        dialer: Arc<dyn Dialer>,
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        certificates: Arc<dyn CertificateSource>,
        metrics: Metrics,
        tuning: LiveTuning,
    ) -> Self {
        Self::with(dialer, own, resolver, Proof::Mutual(certificates), metrics, tuning)
    }

    /// To servers that are no domains of a mesh: in plaintext, and nobody is proven. For an edge that stands alone.
    pub fn plaintext(own: WorkloadName, resolver: Arc<dyn Resolver>, metrics: Metrics, tuning: LiveTuning) -> Self {
        Self::with(Arc::new(Tcp), own, resolver, Proof::None, metrics, tuning)
    }

    /// To servers that are no domains of a mesh, over TLS: each is proven by its name to the authorities in a PEM file, or to
    /// those that the Web trusts.
    pub fn tls(
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        authorities: Option<&Path>,
        metrics: Metrics,
        tuning: LiveTuning,
    ) -> Result<Self, TransportError> {
        let proof = Proof::Server(roots::client_config(authorities)?);
        Ok(Self::with(Arc::new(Tcp), own, resolver, proof, metrics, tuning))
    }

    fn with(
        dialer: Arc<dyn Dialer>,
        own: WorkloadName,
        resolver: Arc<dyn Resolver>,
        proof: Proof,
        metrics: Metrics,
        tuning: LiveTuning,
    ) -> Self {
        let calls = Arc::new(SideMetrics::new(Side::Client, metrics.clone()));
        Self(Arc::new(Shared { own, resolver, dialer, proof, metrics, calls, tuning, domains: Mutex::default() }))
    }

    /// A domain as a client sees it. That the domain exists is found out when it is called.
    pub fn upstream(&self, domain: &str) -> Result<Arc<dyn Upstream>, TransportError> {
        Ok(Arc::new(Stack(self.stack(self.domain(domain)?))))
    }

    /// The client stack, from the caller to the wire. The module of each layer says why it stands
    /// where it stands.
    #[rustfmt::skip]
    fn stack(&self, Domain { balancer, retries, .. }: Domain) -> impl Layer {
        let Shared { metrics, calls, tuning, .. } = &*self.0;
        Measured { calls: Arc::clone(calls), within:
        OutsideTransactions(
        Bounded(
        Streams { tuning: tuning.clone(), within:
        Retried { budget: retries, metrics: metrics.clone(), tuning: tuning.clone(), within:
        Balanced(balancer)
        }}))}
    }

    fn domain(&self, domain: &str) -> Result<Domain, TransportError> {
        let mut domains = self.0.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = domains.get(domain) {
            return Ok(known.clone());
        }
        let Shared { own, metrics, tuning, .. } = &*self.0;
        let (caller, called) = (own.as_str().to_owned(), domain.to_owned());
        let callee = Arc::new(Callee { caller, domain: called, metrics: metrics.clone(), tuning: tuning.clone() });
        let balancer = Arc::new(self.balancer(&callee)?);
        let retries = Arc::new(RetryBudget::new(tuning.clone(), Instant::now()));
        let observed = Arc::new(Known { callee, balancer: Arc::clone(&balancer), retries: Arc::clone(&retries) });
        metrics.watch(Arc::downgrade(&observed) as _);
        let opened = Domain { balancer, retries, _observed: observed };
        domains.insert(domain.to_owned(), opened.clone());
        Ok(opened)
    }

    fn balancer(&self, callee: &Arc<Callee>) -> Result<Balancer, TransportError> {
        let Shared { own, resolver, dialer, proof, tuning, .. } = &*self.0;
        let (dialer, tuning) = (Arc::clone(dialer), tuning.clone());
        let way: Arc<dyn Way> = match proof {
            Proof::Mutual(certificates) => {
                let peer: WorkloadName = callee.domain.parse()?;
                let tls = client_config(Arc::clone(certificates), own, &peer)?;
                Arc::new(MutualTls { dialer, tls, tuning })
            }
            Proof::Server(tls) => Arc::new(ServerTls { dialer, tls: Arc::clone(tls), tuning }),
            Proof::None => Arc::new(Plaintext { dialer, tuning }),
        };
        Ok(Balancer::new(Arc::clone(callee), resolver.watch(&callee.domain), way))
    }
}

/// Discovery names no endpoint of the domain.
fn unknown(domain: &str) -> Error {
    Error::new(MeshReason::UpstreamUnavailable, format!("no address of the domain {domain} is known"))
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstreams").field("own", &self.0.own).finish_non_exhaustive()
    }
}
