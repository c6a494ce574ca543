//! The connection to one endpoint, and its replacement when it is old.
//!
//! Problem: HTTP/2 connections live for as long as both ends do, so what comes up behind an address
//! later gets no calls. Rule: after its age, give or take a tenth so that connections made together
//! are not replaced together, a connection is replaced by one that stands already: calls begin on the
//! old one until then, and those under way end on it. Recovery: a replacement that cannot be had
//! leaves the old connection in its place, and is tried again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tonic::transport::Channel;
use weft_call::BoxFuture;
use weft_discovery::Endpoint;

/// A replacement that failed is tried again after this.
const PAUSE: Duration = Duration::from_secs(10);

/// How endpoints are connected to.
pub(super) trait Way: Send + Sync + 'static {
    /// A connection that is made when it is first used.
    fn lazily(&self, endpoint: &Endpoint) -> Channel;
    /// A connection that stands.
    fn at_once<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Channel, tonic::transport::Error>>;
    /// The age at which one made now is to be replaced.
    fn max_age(&self) -> Duration;
}

/// The connection to one endpoint.
pub(super) struct Link {
    endpoint: Endpoint,
    way: Arc<dyn Way>,
    current: Mutex<Current>,
}

struct Current {
    channel: Channel,
    replace_at: Instant,
    is_being_replaced: bool,
}

impl Link {
    /// Nothing is connected before it is used.
    pub(super) fn new(endpoint: Endpoint, way: Arc<dyn Way>, now: Instant) -> Self {
        let channel = way.lazily(&endpoint);
        let current = Current { channel, replace_at: now + jittered(way.max_age()), is_being_replaced: false };
        Self { endpoint, way, current: Mutex::new(current) }
    }

    /// Where it leads.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection for a call that begins now.
    pub(super) fn channel(self: &Arc<Self>, now: Instant) -> Channel {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= current.replace_at && !current.is_being_replaced {
            current.is_being_replaced = true;
            tokio::spawn(Arc::clone(self).replace());
        }
        current.channel.clone()
    }

    async fn replace(self: Arc<Self>) {
        let opened = self.way.at_once(&self.endpoint).await;
        let now = Instant::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.is_being_replaced = false;
        match opened {
            Ok(channel) => (current.channel, current.replace_at) = (channel, now + jittered(self.way.max_age())),
            Err(error) => {
                current.replace_at = now + PAUSE;
                tracing::debug!(%error, endpoint = %self.endpoint, "an old connection is kept: no new one could be made");
            }
        }
    }
}

/// A tenth more or less (gRFC A9).
fn jittered(age: Duration) -> Duration {
    age.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    const AGE: Duration = Duration::from_mins(10);

    /// Counts the connections that were made ahead of a call.
    #[derive(Default)]
    struct Counting {
        replacements: AtomicUsize,
        is_down: AtomicBool,
    }

    impl Way for Counting {
        fn lazily(&self, _: &Endpoint) -> Channel {
            tonic::transport::Endpoint::from_static("http://mesh.invalid").connect_lazy()
        }

        fn at_once<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Channel, tonic::transport::Error>> {
            self.replacements.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if self.is_down.load(Ordering::Relaxed) {
                    return tonic::transport::Endpoint::from_static("http://[::1]:1").connect().await;
                }
                Ok(self.lazily(endpoint))
            })
        }

        fn max_age(&self) -> Duration {
            AGE
        }
    }

    /// Makes a call after `pause`; how many connections were made ahead of one since the beginning.
    async fn after(pause: Duration, way: &Counting, link: &Arc<Link>) -> usize {
        tokio::time::advance(pause).await;
        let _ = link.channel(Instant::now());
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        way.replacements.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_replaced_once_it_is_old() {
        let way = Arc::new(Counting::default());
        let link = Arc::new(Link::new(Endpoint::new("::1", 1), Arc::clone(&way) as _, Instant::now()));
        assert_eq!(after(AGE.mul_f64(0.89), &way, &link).await, 0);
        assert_eq!(after(AGE.mul_f64(0.22), &way, &link).await, 1);
        assert_eq!(after(AGE.mul_f64(0.89), &way, &link).await, 1, "the new one is young");
        assert_eq!(after(AGE.mul_f64(0.22), &way, &link).await, 2);
    }

    #[tokio::test]
    async fn a_replacement_that_fails_is_tried_again_after_a_pause() {
        let way = Arc::new(Counting { is_down: AtomicBool::new(true), ..Counting::default() });
        let link = Arc::new(Link::new(Endpoint::new("::1", 1), Arc::clone(&way) as _, Instant::now()));
        Arc::clone(&link).replace().await;
        let tried_again_at = link.current.lock().unwrap_or_else(PoisonError::into_inner).replace_at;
        let until = tried_again_at.saturating_duration_since(Instant::now());
        assert!(until <= PAUSE && until > PAUSE / 2, "{until:?}");
    }
}
