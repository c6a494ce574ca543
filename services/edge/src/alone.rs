//! An edge that stands alone, in front of a gRPC server that is no domain of a mesh.
//!
//! It speaks every protocol that the edge speaks, for whatever the server's schema says. What a client sends beside the
//! message travels on as metadata, credentials among it: whether a call may be made is for the server to say. Calls have
//! the deadline that the client asks for.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use weft_access::LimitFactors;
use weft_cache::InProcess;
use weft_call::Clock;
use weft_telemetry::{Metrics, Side, SideMetrics};
use weft_transport::Upstreams;

use crate::{
    cors::Origins,
    error::EdgeError,
    front::Front,
    proxies::Proxies,
    rate_limits::RateLimits,
    schema::{Follower, SchemaSource},
    server::{self, Running},
    settings::Settings,
};

/// What an edge that stands alone is made of.
#[derive(Debug)]
pub struct Alone {
    /// What an operator has set.
    pub settings: Settings,
    /// Where the schema comes from.
    pub schema: SchemaSource,
    /// The ways to the server, under the name [`crate::UPSTREAM`].
    pub upstreams: Upstreams,
    /// The time of day.
    pub clock: Clock,
    /// Where requests are counted.
    pub metrics: Metrics,
}

impl Alone {
    /// Reads the schema, listens, and serves until it is told to stop.
    pub async fn start(self) -> Result<Running, EdgeError> {
        let Self { settings, schema, upstreams, clock, metrics } = self;
        let (follower, catalogue) = Follower::begin(schema, upstreams.clone()).await?;
        let interval = settings.schema_interval;
        let front = Arc::new(Front {
            leave: CancellationToken::new(),
            proxies: Proxies::new(&settings.trusted_proxies),
            request_options: server::request_options(&settings),
            origins: Origins::new(&settings.cors_origins),
            settings,
            catalogue: ArcSwap::from_pointee(catalogue),
            own: None,
            authenticator: None,
            limits: RateLimits::new([], Arc::new(InProcess::new()), LimitFactors::default()),
            upstreams,
            clock,
            calls: Arc::new(SideMetrics::new(Side::Edge, metrics.clone())),
            metrics,
        });
        let running = server::run(Arc::clone(&front)).await?;
        running.beside(follower.follow(front, interval));
        Ok(running)
    }
}
