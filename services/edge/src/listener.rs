//! The door itself: accepts connections, holds each to its limits, and closes them in order at the end.
//!
//! # Problem
//!
//! Whoever can connect can hold what connections are made of: places, memory, handshakes, half a header.
//!
//! # Rule
//!
//! There are so many places in all, and so many for one address; trusted proxies stand for many clients and have only the
//! first bound. Without a free place a connection waits in the system's queue; one too many from an address is closed at
//! once. What a connection may do with its place is held by [`activity`].
//!
//! # Recovery
//!
//! A place is free again when its connection ends, and every connection ends: by its client, by a limit, or by the drain.

mod activity;
mod addresses;
mod connection;
pub(crate) mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weft_telemetry::ConnectionEnd;

use crate::front::Front;
use addresses::Addresses;
use tls::Certificates;

/// After a connection could not be accepted, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the door is told to close.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing {
    /// Clients are asked to go elsewhere; those that come all the same are served.
    pub(crate) leave: CancellationToken,
    /// Nobody is let in any more, and those inside finish what is under way.
    pub(crate) stop: CancellationToken,
}

/// Accepts connections until it is told to stop, then waits for them, for as long as draining may take.
pub(crate) async fn run(front: Arc<Front>, listener: TcpListener, certificates: Option<Arc<Certificates>>, closing: Closing) {
    let places = Arc::new(Semaphore::new(front.settings.max_connections));
    let addresses = Addresses::new(front.settings.max_connections_per_address);
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    let next = async || {
        // Without a free place the connection waits in the listener's queue.
        let place = Arc::clone(&places).acquire_owned().await;
        (listener.accept().await, place)
    };
    while let Some((accepted, place)) = closing.stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, peer)) => {
                let Some(served) = admit(&front, &addresses, certificates.as_ref(), &closing, (stream, peer)) else { continue };
                connections.spawn(keep(served, cut.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Whoever got into the queue before it closes is served as well.
    for arrived in queued(listener) {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
        if let Some(served) = admit(&front, &addresses, certificates.as_ref(), &closing, arrived) {
            connections.spawn(keep(served, cut.clone(), Ok(place)));
        }
    }
    connections.close();
    if tokio::time::timeout(front.settings.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not end in the time for draining and are cut");
        cut.cancel();
        connections.wait().await;
    }
}

/// Closes the listener's queue, and gives those that were in it. The system is asked, since what it has told so far may be
/// older than the last of them.
fn queued(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accept = || {
        let (stream, peer) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    };
    std::iter::from_fn(accept).collect()
}

/// What serves a connection, unless its address has as many as it may.
fn admit(
    front: &Arc<Front>,
    addresses: &Addresses,
    certificates: Option<&Arc<Certificates>>,
    closing: &Closing,
    (stream, peer): (TcpStream, SocketAddr),
) -> Option<impl Future<Output = ()> + use<>> {
    let address = if front.proxies.trusts(peer.ip()) { None } else { Some(peer.ip()) };
    let Some(held) = addresses.take(address) else {
        front.metrics.edge_connections().count_end(ConnectionEnd::AddressFull);
        return None;
    };
    let config = certificates.map(|certificates| certificates.config());
    let (front, closing) = (Arc::clone(front), closing.clone());
    Some(async move {
        connection::serve(front, stream, peer, config, closing).await;
        drop(held);
    })
}

async fn keep(served: impl Future<Output = ()>, cut: CancellationToken, place: Result<OwnedSemaphorePermit, AcquireError>) {
    cut.run_until_cancelled(served).await;
    drop(place);
}
