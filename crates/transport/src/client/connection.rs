//! One HTTP/2 connection: calls put their streams on it, a task of its own drives it.
//!
//! Problem: a connection whose other end is gone without a word looks like one that is quiet. Rule: it
//! is asked for a sign of life now and then (PING, RFC 9113 section 6.7), and cut when none comes in
//! time; its calls fail at once, and the next one opens another. A connection that nobody holds ends
//! with its last stream. Recovery: [`super::link`] replaces it.
//!
//! Streams are put on it without a channel or a task between: for most calls that is what costs.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Ping, PingPong, RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{
    Request, Response, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use tokio::time::{sleep, timeout};

use crate::{
    batch::Batched,
    socket::{self, Socket},
    tuning::ConnectionTuning,
};

/// Largest header list that is read, in bytes: an error's details travel in it.
const HEADERS: u32 = 64 * 1024;
/// Streams that are begun before the peer has said how many it takes.
const UNTOLD_STREAMS: usize = 100;

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    origin: Origin,
}

/// The server as requests name it.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
}

impl Connection {
    /// Begins HTTP/2 on a socket. The peer is asked for signs of life as the tuning says, or never.
    pub(super) async fn begin(
        socket: impl Socket,
        origin: Origin,
        keeping_alive: Option<&ConnectionTuning>,
    ) -> Result<Self, h2::Error> {
        let mut settings = Builder::new();
        settings
            .enable_push(false)
            .initial_max_send_streams(UNTOLD_STREAMS)
            .initial_window_size(socket::STREAM_WINDOW)
            .initial_connection_window_size(socket::CONNECTION_WINDOW)
            .max_header_list_size(HEADERS);
        let (requests, mut connection) = settings.handshake::<_, Bytes>(socket).await?;
        let pings = keeping_alive.and_then(|tuning| {
            let pings = connection.ping_pong()?;
            Some((pings, tuning.keep_alive_interval, tuning.keep_alive_timeout))
        });
        let alive = keep_alive(pings);
        tokio::spawn(async move {
            let (connection, alive) = (Batched::new(connection), pin!(alive));
            tokio::select! {
                biased;
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
                () = alive => tracing::debug!("a connection is cut: it gave no sign of life"),
            }
        });
        Ok(Self { requests, origin })
    }

    /// Whether a call may still begin on it: it stands, and its peer has not said to go away.
    pub(super) fn is_open(&mut self) -> bool {
        // Whoever asks does not wait: it is ready or at its end.
        matches!(self.requests.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
    }

    /// The address of a path at the server.
    pub(super) fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        (parts.scheme, parts.authority) = (Some(self.origin.scheme.clone()), Some(self.origin.authority.clone()));
        parts.path_and_query = Some(path);
        // All three parts are there, and so they are an address.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// Begins a stream whose request has no body, or one that the caller sends.
    pub(super) fn open(
        mut self,
        request: Request<()>,
        has_no_body: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.requests.send_request(request, has_no_body)
    }

    /// Sends a request that is all there, and waits for the head of its answer.
    pub(super) async fn exchange(self, request: Request<()>, body: Bytes) -> Result<Response<RecvStream>, h2::Error> {
        let (answer, sink) = self.open(request, false)?;
        finish(answer, sink, body).await
    }
}

/// Sends the one part of a request that was begun, and waits for the head of its answer.
async fn finish(answer: ResponseFuture, mut sink: SendStream<Bytes>, body: Bytes) -> Result<Response<RecvStream>, h2::Error> {
    // It waits for the peer's windows there as well as here. A peer that has answered before this, because the head was
    // enough to refuse the call, has reset the stream and wants none of it: then the answer says why.
    let _ = sink.send_data(body, true);
    answer.await
}

/// Ends when the peer does not answer a PING in time.
async fn keep_alive(pings: Option<(PingPong, Duration, Duration)>) {
    let Some((mut pings, interval, patience)) = pings else { return std::future::pending().await };
    loop {
        sleep(interval).await;
        // An error is the connection's own end, which its driver sees.
        let answered = async {
            match pings.send_ping(Ping::opaque()) {
                Ok(()) => poll_fn(|context| pings.poll_pong(context)).await.map(drop),
                Err(error) => Err(error),
            }
        };
        match timeout(patience, answered).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return,
        }
    }
}

#[cfg(test)]
pub(super) mod fixture {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// A connection, and the socket of its other end, on which nobody has said anything.
    pub(crate) async fn half_open(tuning: &ConnectionTuning) -> (Connection, DuplexStream) {
        let (near, far) = duplex(64 * 1024);
        let origin = Origin { scheme: Scheme::HTTPS, authority: Authority::from_static("mesh.invalid") };
        (Connection::begin(near, origin, Some(tuning)).await.unwrap(), far)
    }

    /// A connection and the server at its other end, which is driven by accepting what comes.
    pub(crate) async fn connected(tuning: &ConnectionTuning) -> (Connection, h2::server::Connection<DuplexStream, Bytes>) {
        let (connection, far) = half_open(tuning).await;
        (connection, h2::server::handshake(far).await.unwrap())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{
        fixture::{connected, half_open},
        *,
    };

    fn request() -> Request<()> {
        Request::post("https://mesh.invalid/").body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_gives_no_sign_of_life_fails_its_calls() {
        let tuning = ConnectionTuning::default();
        let (mut connection, _silent) = half_open(&tuning).await;
        assert!(connection.is_open());
        let began = tokio::time::Instant::now();
        let failed = connection.clone().exchange(request(), Bytes::new()).await.map(drop);
        assert!(failed.is_err());
        assert_eq!(began.elapsed().as_secs(), (tuning.keep_alive_interval + tuning.keep_alive_timeout).as_secs());
        assert!(!connection.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_merely_slow_is_waited_for() {
        let tuning = ConnectionTuning::default();
        let (connection, mut server) = connected(&tuning).await;
        let calling = tokio::spawn(connection.exchange(request(), Bytes::new()));
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        sleep(20 * tuning.keep_alive_interval).await;
        respond.send_response(Response::new(()), true).unwrap();
        assert!(calling.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_peer_that_says_to_go_away_ends_what_has_begun_and_takes_nothing_new() {
        let (mut connection, mut server) = connected(&ConnectionTuning::default()).await;
        let calling = tokio::spawn(connection.clone().exchange(request(), Bytes::new()));
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        server.graceful_shutdown();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!connection.is_open());
        assert!(connection.clone().exchange(request(), Bytes::new()).await.is_err());
        respond.send_response(Response::new(()), true).unwrap();
        assert!(calling.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_peer_that_answers_before_the_body_was_sent_is_heard() {
        let (connection, mut server) = connected(&ConnectionTuning::default()).await;
        let (answer, sink) = connection.open(request(), false).unwrap();
        let (asked, mut respond) = server.accept().await.unwrap().unwrap();
        drop(asked);
        respond.send_response(Response::builder().status(403).body(()).unwrap(), true).unwrap();
        drop(respond);
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(finish(answer, sink, Bytes::from_static(b"late")).await.unwrap().status(), 403);
    }
}
