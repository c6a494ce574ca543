//! Connections: accepted one by one, proven by mutual TLS, drained when the server stops.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weft_workload_identity::{PeerIdentity, peer_identity};

use super::{Server, execution};
use crate::socket::{Listener, Socket};

/// A listener that fails is asked again after this: mostly it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn accept(server: Arc<Server>, listener: impl Listener, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    let (open, cut) = (TaskTracker::new(), CancellationToken::new());
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
                open.spawn(cut.clone().run_until_cancelled_owned(served));
            }
            Err(error) => {
                tracing::warn!(%error, domain = server.service.contract().domain, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(server.limits.drain, open.wait()).await.is_err() {
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
    let proven = tokio::time::timeout(tuning.handshake, prove(&server, socket)).await;
    let (tls, peer) = match proven.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(proven) => proven,
        Err(error) => {
            tracing::info!(%error, %from, domain, "a connection was refused");
            return;
        }
    };
    let caller = Arc::new(peer);
    let requests = service_fn({
        let (server, peer) = (Arc::clone(&server), Arc::clone(&caller));
        move |request: http::Request<Incoming>| {
            let (server, peer) = (Arc::clone(&server), Arc::clone(&peer));
            async move { Ok::<_, Infallible>(execution::respond(&server, &peer, request).await) }
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(server.limits.streams)
        .max_header_list_size(server.limits.headers)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .keep_alive_interval(Some(tuning.keep_alive_interval))
        .keep_alive_timeout(tuning.keep_alive_timeout)
        .serve_connection(TokioIo::new(tls), requests);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = server.nothing_left(caller.workload.as_str()) => {
            tracing::info!(%from, domain, caller = %caller.workload, "a connection is closed: its peer may call nothing here");
            server.metrics.count_connection_revoked(domain);
            connection.as_mut().graceful_shutdown();
            // Dropping it closes it, whatever is still under way.
            tokio::time::timeout(server.limits.drain, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %from, domain, "a connection ended early");
    }
}

/// The TLS handshake, and who the peer is by its certificate.
async fn prove<S: Socket>(server: &Server, socket: S) -> io::Result<(TlsStream<S>, PeerIdentity)> {
    let tls = TlsAcceptor::from(Arc::clone(&server.tls)).accept(socket).await?;
    let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = peer_identity(&*server.certificates, certificates).map_err(io::Error::other)?;
    Ok((tls, peer))
}
