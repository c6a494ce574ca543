//! The connection to one endpoint, and its replacement when it is old or lost.
//!
//! Problem: HTTP/2 connections live for as long as both ends do, so what comes up behind an address
//! later gets no calls. Rule: a connection is made when it is first used. After its age, give or take
//! a tenth so that connections made together are not replaced together, it is replaced by one that
//! stands already: calls begin on the old one until then, and those under way end on it. One that is
//! lost, or whose peer says to go away, takes no new calls; the next one has another made, once for
//! all who wait for it. Recovery: a replacement that cannot be had leaves the old connection in its
//! place, and is tried again; when none can be made, those who wait fail, and the next call tries again.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_call::{BoxFuture, Error, MeshReason, Result};
use weft_discovery::Endpoint;

use super::connection::Connection;

/// A replacement that failed is tried again after this.
const PAUSE: Duration = Duration::from_secs(10);

/// How endpoints are connected to.
pub(super) trait Way: Send + Sync + 'static {
    /// Makes a connection that stands.
    fn open<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>>;
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
    connection: Option<Connection>,
    replace_at: Instant,
    /// The connection that is being made, if one is.
    opening: Option<Arc<Opening>>,
}

/// A connection that is being made. Those who wait for it go on in the order in which they came.
#[derive(Default)]
struct Opening {
    opened: OnceLock<Result<Connection, Unconnected>>,
    is_over: CancellationToken,
}

/// Why no connection could be made; all who waited for it share the reason.
#[derive(Clone, Debug)]
struct Unconnected(Arc<io::Error>);

impl std::fmt::Display for Unconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no connection could be made")
    }
}

impl std::error::Error for Unconnected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Not the pointer: whoever looks for a cause knows its type.
        Some(&*self.0)
    }
}

impl Link {
    /// Nothing is connected before it is used.
    pub(super) fn new(endpoint: Endpoint, way: Arc<dyn Way>, now: Instant) -> Self {
        let current = Current { connection: None, replace_at: now, opening: None };
        Self { endpoint, way, current: Mutex::new(current) }
    }

    /// Where it leads.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection for a call that begins now.
    pub(super) async fn connection(self: &Arc<Self>, now: Instant) -> Result<Connection> {
        let opening = {
            let mut current = self.current();
            let is_old = now >= current.replace_at;
            current.connection.take_if(|connection| !connection.is_open());
            if let Some(connection) = current.connection.clone() {
                if is_old && current.opening.is_none() {
                    self.begin_opening(&mut current);
                }
                return Ok(connection);
            }
            match &current.opening {
                Some(opening) => Arc::clone(opening),
                None => self.begin_opening(&mut current),
            }
        };
        opening.is_over.cancelled().await;
        let unreachable = || Error::new(MeshReason::UpstreamUnavailable, "the domain cannot be reached");
        match opening.opened.get() {
            Some(Ok(connection)) => Ok(connection.clone()),
            Some(Err(error)) => Err(unreachable().with_source(error.clone())),
            // The runtime ends.
            None => Err(unreachable()),
        }
    }

    /// Has a connection made, in a task: it is of use also when the call that wants it is given up.
    fn begin_opening(self: &Arc<Self>, current: &mut Current) -> Arc<Opening> {
        let opening = Arc::new(Opening::default());
        current.opening = Some(Arc::clone(&opening));
        tokio::spawn(Arc::clone(self).make(Arc::clone(&opening)));
        opening
    }

    async fn make(self: Arc<Self>, opening: Arc<Opening>) {
        let _over = opening.is_over.clone().drop_guard();
        let opened = self.way.open(&self.endpoint).await.map_err(|error| Unconnected(Arc::new(error)));
        let now = Instant::now();
        {
            let mut current = self.current();
            current.opening = None;
            match &opened {
                Ok(connection) => {
                    current.connection = Some(connection.clone());
                    current.replace_at = now + jittered(self.way.max_age());
                }
                Err(error) => {
                    current.replace_at = now + PAUSE;
                    tracing::debug!(error = %error.0, endpoint = %self.endpoint, "no connection could be made");
                }
            }
        }
        // Nobody else sets it.
        let _ = opening.opened.set(opened);
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tenth more or less (gRFC A9).
fn jittered(age: Duration) -> Duration {
    age.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use weft_call::Code;

    use super::*;
    use crate::{client::connection::fixture, tuning::Tuning};

    const AGE: Duration = Duration::from_mins(10);

    /// Counts the connections that were made.
    #[derive(Default)]
    struct Counting {
        made: AtomicUsize,
        is_down: AtomicBool,
    }

    impl Way for Counting {
        fn open<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Connection>> {
            Box::pin(async move {
                if self.is_down.load(Ordering::Relaxed) {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                self.made.fetch_add(1, Ordering::Relaxed);
                let (connection, mut server) = fixture::connected(&Tuning::default().connections).await;
                tokio::spawn(async move { while server.accept().await.is_some() {} });
                Ok(connection)
            })
        }

        fn max_age(&self) -> Duration {
            AGE
        }
    }

    fn link() -> (Arc<Counting>, Arc<Link>) {
        let way = Arc::new(Counting::default());
        (Arc::clone(&way), Arc::new(Link::new(Endpoint::new("::1", 1), way, Instant::now())))
    }

    /// Makes a call after `pause`; how many connections were made since the beginning.
    async fn after(pause: Duration, way: &Counting, link: &Arc<Link>) -> usize {
        tokio::time::advance(pause).await;
        link.connection(Instant::now()).await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        way.made.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_replaced_once_it_is_old() {
        let (way, link) = link();
        assert_eq!(after(Duration::ZERO, &way, &link).await, 1);
        assert_eq!(after(AGE.mul_f64(0.89), &way, &link).await, 1);
        assert_eq!(after(AGE.mul_f64(0.22), &way, &link).await, 2);
        assert_eq!(after(AGE.mul_f64(0.89), &way, &link).await, 2, "the new one is young");
        assert_eq!(after(AGE.mul_f64(0.22), &way, &link).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replacement_that_fails_leaves_the_old_one_and_is_tried_again_after_a_pause() {
        let (way, link) = link();
        assert_eq!(after(Duration::ZERO, &way, &link).await, 1);
        way.is_down.store(true, Ordering::Relaxed);
        assert_eq!(after(AGE * 2, &way, &link).await, 1, "calls go on on the old one");
        way.is_down.store(false, Ordering::Relaxed);
        assert_eq!(after(PAUSE / 2, &way, &link).await, 1);
        assert_eq!(after(PAUSE, &way, &link).await, 2);
    }

    #[tokio::test]
    async fn all_who_wait_for_a_connection_get_the_same_one_or_fail_together() {
        let (way, link) = link();
        way.is_down.store(true, Ordering::Relaxed);
        let failed = link.connection(Instant::now()).await.map(drop).unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
        way.is_down.store(false, Ordering::Relaxed);
        let waiting = (0..10).map(|_| link.connection(Instant::now()));
        for connected in futures_util::future::join_all(waiting).await {
            connected.unwrap();
        }
        assert_eq!(way.made.load(Ordering::Relaxed), 1);
    }
}
