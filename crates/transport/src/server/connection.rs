//! Connections: accepted one by one, proven by mutual TLS, ended by age or when the server stops.
//!
//! An end comes in three steps, so that nothing is lost: GOAWAY, after which the caller begins calls
//! elsewhere; then streams, which may last for hours, end with a reason; then what is left is cut.
//! Callers replace old connections themselves, without losing a call to the race between a request
//! and a GOAWAY, and so the server grants them time to do it.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weft_workload_identity::{PeerIdentity, peer_identity};

use super::{Server, execution};
use crate::{
    batch::Batched,
    socket::{self, Listener, Socket},
    tuning::ConnectionTuning,
};

/// A listener that fails is asked again after this: mostly it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What an answer may be ahead of the caller's window, in bytes.
const SEND_AHEAD: usize = 64 * 1024;
/// How long a connection stands after its streams were ended, for their last words to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) async fn accept(server: Arc<Server>, listener: impl Listener, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let next = async {
            // The semaphore is never closed, so a permit always comes.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((socket, from)) => {
                let served = serve(Arc::clone(&server), socket, from, stop.clone(), place);
                connections.spawn(cut.clone().run_until_cancelled_owned(served));
            }
            Err(error) => {
                tracing::warn!(%error, domain = server.service.contract().domain, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(server.limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(domain = server.service.contract().domain, "calls are cut: they did not end within the drain time");
        cut.cancel();
    }
}

async fn serve(
    server: Arc<Server>,
    socket: impl Socket,
    from: SocketAddr,
    stop: CancellationToken,
    place: Option<OwnedSemaphorePermit>,
) {
    let _place = place;
    let domain = server.service.contract().domain;
    let tuning = server.tuning.load().connections.clone();
    let proven = timeout(tuning.handshake, prove(&server, socket)).await;
    let (tls, peer) = match proven.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(proven) => proven,
        Err(error) => {
            if let Some(unsaid) = server.strangers.refused(Instant::now()) {
                tracing::info!(%error, %from, domain, unsaid, "a connection was refused");
            }
            return;
        }
    };
    let peer = Arc::new(peer);
    let closing = CancellationToken::new();
    let requests = service_fn({
        let (server, peer, closing) = (Arc::clone(&server), Arc::clone(&peer), closing.clone());
        move |request: http::Request<Incoming>| {
            let (server, peer, closing) = (Arc::clone(&server), Arc::clone(&peer), closing.clone());
            // Boxed at once: hyper and tokio pass it on by value several times before it runs.
            Box::pin(async move { Ok::<_, Infallible>(execution::respond(&server, &peer, request, closing).await) })
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(server.limits.streams)
        // The peer is the mesh's own, and carries the calls of many: those that strangers give up at the edge come as a
        // burst of resets, and to end the connection for it would end the calls of all others.
        .max_pending_accept_reset_streams(usize::try_from(server.limits.streams).ok())
        .max_header_list_size(server.limits.headers)
        .initial_stream_window_size(socket::STREAM_WINDOW)
        .initial_connection_window_size(socket::CONNECTION_WINDOW)
        .max_send_buf_size(SEND_AHEAD)
        .keep_alive_interval(Some(tuning.keep_alive_interval))
        .keep_alive_timeout(tuning.keep_alive_timeout)
        .serve_connection(TokioIo::new(tls), requests);
    let nothing_left = server.nothing_left(peer.workload.as_str());
    let denied = async {
        nothing_left.await;
        tracing::info!(%from, domain, caller = %peer.workload, "a connection is closed: its peer may call nothing here");
        server.metrics.count_connection_revoked(domain);
    };
    let go_away = |batched: Pin<&mut Batched<Pin<Box<http2::Connection<_, _, _>>>>>| {
        batched.get_mut().driver().as_mut().graceful_shutdown();
    };
    let ending = Ending { stop, drain: server.limits.drain, tuning, closing };
    if let Err(error) = ending.watch(pin!(Batched::new(Box::pin(connection))), go_away, denied).await {
        tracing::debug!(%error, %from, domain, "a connection ended early");
    }
}

/// How a connection ends.
struct Ending {
    stop: CancellationToken,
    drain: Duration,
    tuning: ConnectionTuning,
    /// Ends the streams of the connection.
    closing: CancellationToken,
}

impl Ending {
    /// Runs the connection until it has ended; `go_away` makes it send GOAWAY, and `denied` is when its
    /// peer may call nothing any more.
    async fn watch<C>(
        self,
        mut connection: Pin<&mut C>,
        go_away: impl FnOnce(Pin<&mut C>),
        denied: impl Future<Output = ()>,
    ) -> hyper::Result<()>
    where
        C: Future<Output = hyper::Result<()>>,
    {
        // A tenth more or less, so that connections made together do not end together (gRFC A9).
        let age = self.tuning.max_age.mul_f64(1.1 + 0.1 * fastrand::f64()) + self.tuning.age_grace;
        let grace = tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = sleep(age) => self.tuning.age_grace,
            () = denied => self.drain,
            // Half of the time for calls, half for streams: whoever drains cuts what is left then.
            () = self.stop.cancelled() => self.drain / 2,
        };
        go_away(connection.as_mut());
        if let Ok(ended) = timeout(grace, connection.as_mut()).await {
            return ended;
        }
        self.closing.cancel();
        let last_words = if self.stop.is_cancelled() { self.drain } else { LAST_WORDS };
        timeout(last_words, connection).await.unwrap_or(Ok(()))
    }
}

/// The TLS handshake, and who the peer is by its certificate.
async fn prove<S: Socket>(server: &Server, socket: S) -> io::Result<(TlsStream<S>, PeerIdentity)> {
    let tls = TlsAcceptor::from(Arc::clone(&server.tls)).accept(socket).await?;
    let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = peer_identity(&*server.certificates, certificates).map_err(io::Error::other)?;
    Ok((tls, peer))
}
