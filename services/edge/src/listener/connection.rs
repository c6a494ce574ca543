//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::ready,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use http::Version;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use weft_telemetry::ConnectionEnd;
use weft_transport::Batching;

use super::{
    Closing,
    activity::{Activity, Watched},
};
use crate::{
    front::Front,
    request_limits,
    settings::Settings,
    websocket::{self, Sessions},
};

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// What an answer over HTTP/2 may be ahead of what its client takes, in bytes.
const SEND_AHEAD: usize = 64 * 1024;
/// How long a client may take to see that it is being left, or to ask for the first time when it is.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(super) async fn serve(
    front: Arc<Front>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    closing: Closing,
) {
    let connections = front.metrics.edge_connections().clone();
    let _counted = connections.opened();
    if let Err(error) = weft_transport::ready(&stream) {
        tracing::debug!(%error, "the connection ended before it was served");
        return;
    }
    let Some(config) = tls else { return speak(front, stream, peer, closing).await };
    let handshake = TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(front.settings.handshake_timeout, handshake).await {
        Ok(Ok(stream)) => speak(front, stream, peer, closing).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, %peer, "a handshake failed");
            connections.count_end(ConnectionEnd::Handshake);
        }
        Err(_) => connections.count_end(ConnectionEnd::Handshake),
    }
}

/// What ends a connection beside its client.
enum Bound {
    /// It is to end once nothing is under way.
    Leave,
    /// One of its times is over.
    Over(ConnectionEnd),
}

/// HTTP, whichever version the client speaks.
async fn speak<S>(front: Arc<Front>, stream: S, peer: SocketAddr, closing: Closing)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new(&front.settings);
    let builder = builder(&front.settings);
    let connections = front.metrics.edge_connections().clone();
    let sessions = Sessions::new(closing.stop.clone());
    let (upgrades, noted) = (sessions.clone(), Arc::clone(&activity));
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        if websocket::is_asked_for(&request) {
            request.extensions_mut().insert(upgrades.clone());
        }
        let (front, turn) = (Arc::clone(&front), noted.begin(&request));
        // Boxed, since what answers is large, and hyper hands it on several times.
        Box::pin(async move {
            // A client that gives up at once, over and over, is not passed on: whoever took its request back meanwhile has
            // never asked, and the server behind does not end the connection for a burst of resets. The first one tells: of a
            // burst that came at once, all others look only once it was found to be taken back.
            if request.version() == Version::HTTP_2 && turn.is_of_a_fickle_client() {
                tokio::task::yield_now().await;
            }
            Ok::<_, Infallible>(front.answer(request, peer).await.map(|body| turn.answered(body)))
        })
    });
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    // They are looked at when they have something to say, and not whenever a byte comes or goes.
    let mut bounds = FuturesUnordered::<Pin<Box<dyn Future<Output = Bound> + Send + '_>>>::new();
    bounds.push(Box::pin(asked_to_leave(&closing, &activity).map(|()| Bound::Leave)));
    bounds.push(Box::pin(activity.over().map(Bound::Over)));
    let mut batching = Batching::default();
    let ended = loop {
        // Over HTTP/1.1 what drives the connection is what answers.
        let driven = poll_fn(|context| {
            if activity.is_multiplexed() {
                ready!(batching.poll_turn(context));
            }
            connection.as_mut().poll(context)
        });
        tokio::select! {
            biased;
            ended = driven => break ended,
            Some(bound) = bounds.next() => {
                let end = match bound {
                    Bound::Leave => {
                        connection.as_mut().graceful_shutdown();
                        continue;
                    }
                    Bound::Over(end) => end,
                };
                connections.count_end(end);
                if end == ConnectionEnd::Idle {
                    connection.as_mut().graceful_shutdown();
                    // Whether the client has seen it or not.
                    let _ = tokio::time::timeout(FAREWELL, connection.as_mut()).await;
                }
                return;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, %peer, "a connection ended with an error");
    }
    sessions.serve().await;
}

/// Waits until the connection is to end once nothing is under way. Only HTTP/2 can say so without losing a request that
/// is on its way: over HTTP/1.1 the next answer says it, and so it does on connections that come later.
async fn asked_to_leave(closing: &Closing, activity: &Activity) {
    if !closing.leave.is_cancelled() {
        tokio::select! {
            () = closing.leave.cancelled() => {}
            () = closing.stop.cancelled() => {}
        }
        if activity.is_multiplexed() {
            return;
        }
    }
    closing.stop.cancelled().await;
    if !activity.has_begun() {
        // Its first request is on its way, or none is.
        tokio::time::sleep(FAREWELL).await;
    }
}

fn builder(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The times are held by `activity`, without a timer for each request.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(request_limits::parsed_headers(settings))
        .max_buf_size(request_limits::parsed_bytes(settings));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.max_header).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.max_streams)
        .max_send_buf_size(SEND_AHEAD)
        .max_pending_accept_reset_streams(usize::try_from(settings.max_resets).unwrap_or(usize::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
