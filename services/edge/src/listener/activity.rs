//! What a connection does with its place, and when that is over.
//!
//! # Rule
//!
//! - The first request, and over HTTP/1.1 each later one, has its header whole within the time for headers.
//! - A connection on which nothing is asked, or whose client takes nothing of an answer, ends after the time for idling.
//! - One whose client takes back requests before they are answered ends once that were as many as it may take back, and
//!   more than half of all that it sent ("rapid reset", CVE-2023-44487). Others may cancel what they like.
//!
//! Nothing of this costs a request a timer: what happens is noted with the time, and a connection is looked at when the
//! next of its times may be over.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Instant,
};
use weft_telemetry::ConnectionEnd;

use crate::{body::Body, settings::Settings};

/// Nothing has happened.
const NEVER: u64 = 0;

/// How long a connection may take over what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    header: Duration,
    idle: Duration,
}

/// What a connection does.
#[derive(Debug)]
pub(super) struct Activity {
    times: Times,
    max_resets: u64,
    started: Instant,
    requests: AtomicU64,
    open: AtomicU64,
    resets: AtomicU64,
    /// One header does not say when the next begins: many are under way.
    is_multiplexed: AtomicBool,
    /// In milliseconds after the start, and one.
    idle_since: AtomicU64,
    header_since: AtomicU64,
    stalled_since: AtomicU64,
    flooded: Notify,
}

/// A request that is answered. Dropped before that, it was taken back.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Arc<Activity>,
    is_answered: bool,
}

/// The body of an answer. The request is open for as long as it is not all taken.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    _turn: Turn,
}

/// A connection whose activity is noted.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl Activity {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            times: Times { header: settings.header_timeout, idle: settings.idle_timeout },
            max_resets: settings.max_resets,
            started: Instant::now(),
            requests: AtomicU64::new(0),
            open: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            is_multiplexed: AtomicBool::new(false),
            idle_since: AtomicU64::new(NEVER),
            header_since: AtomicU64::new(NEVER),
            stalled_since: AtomicU64::new(NEVER),
            flooded: Notify::new(),
        })
    }

    /// A request has come.
    pub(super) fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Turn {
        if self.requests.fetch_add(1, Relaxed) == 0 {
            self.is_multiplexed.store(request.version() == Version::HTTP_2, Relaxed);
        }
        self.open.fetch_add(1, Relaxed);
        self.header_since.store(NEVER, Relaxed);
        Turn { activity: Arc::clone(self), is_answered: false }
    }

    /// Whether many requests are under way at once, as over HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Relaxed)
    }

    /// Whether a request has come.
    pub(super) fn has_begun(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    /// Waits until one of its times is over.
    pub(super) async fn over(&self) -> ConnectionEnd {
        let timed_out = async {
            loop {
                match self.judge(Instant::now()) {
                    Ok(at) => tokio::time::sleep_until(at).await,
                    Err(end) => return end,
                }
            }
        };
        tokio::select! {
            end = timed_out => end,
            () = self.flooded.notified() => ConnectionEnd::Resets,
        }
    }

    /// When to look again, or why the connection is to end.
    fn judge(&self, now: Instant) -> Result<Instant, ConnectionEnd> {
        // What has not begun yet may begin right now.
        let mut next = now + self.times.header.min(self.times.idle);
        let mut check = |since: Option<Instant>, limit: Duration, end: ConnectionEnd| match since.map(|since| since + limit) {
            Some(at) if at <= now => Err(end),
            Some(at) => {
                next = next.min(at);
                Ok(())
            }
            None => Ok(()),
        };
        check(self.time(&self.stalled_since), self.times.idle, ConnectionEnd::Stalled)?;
        if !self.has_begun() {
            check(Some(self.started), self.times.header, ConnectionEnd::Header)?;
        } else if self.open.load(Relaxed) == 0 {
            check(self.time(&self.header_since), self.times.header, ConnectionEnd::Header)?;
            check(self.time(&self.idle_since), self.times.idle, ConnectionEnd::Idle)?;
        }
        Ok(next)
    }

    fn time(&self, of: &AtomicU64) -> Option<Instant> {
        match of.load(Relaxed) {
            NEVER => None,
            since => Some(self.started + Duration::from_millis(since - 1)),
        }
    }

    fn note(&self, what: &AtomicU64) {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        what.store(since + 1, Relaxed);
    }

    fn heard(&self) {
        let is_first = self.header_since.load(Relaxed) == NEVER && self.has_begun();
        if is_first && self.open.load(Relaxed) == 0 && !self.is_multiplexed() {
            self.note(&self.header_since);
        }
    }

    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        let is_stalled = self.stalled_since.load(Relaxed) != NEVER;
        match (is_stalled, written.is_pending()) {
            (false, true) => self.note(&self.stalled_since),
            (true, false) => self.stalled_since.store(NEVER, Relaxed),
            _ => {}
        }
        written
    }
}

impl Turn {
    /// Whether its client has taken requests back on this connection.
    pub(super) fn is_of_a_fickle_client(&self) -> bool {
        self.activity.resets.load(Relaxed) > 0
    }

    /// The answer, whose body is still to be taken.
    pub(super) fn answered(mut self, body: Body) -> Answered {
        self.is_answered = true;
        Answered { body, _turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let activity = &self.activity;
        if activity.open.fetch_sub(1, Relaxed) == 1 {
            activity.note(&activity.idle_since);
        }
        if self.is_answered {
            return;
        }
        let resets = activity.resets.fetch_add(1, Relaxed) + 1;
        if resets > activity.max_resets && resets * 2 > activity.requests.load(Relaxed) {
            activity.flooded.notify_one();
        }
    }
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.activity.heard();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.activity.wrote(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::body;

    fn activity() -> Arc<Activity> {
        let (header_timeout, idle_timeout) = (Duration::from_secs(10), Duration::from_mins(1));
        Activity::new(&Settings { header_timeout, idle_timeout, max_resets: 3, ..Settings::default() })
    }

    async fn over_after(activity: &Activity) -> (ConnectionEnd, Duration) {
        let asked = Instant::now();
        let end = tokio::time::timeout(Duration::from_hours(1), activity.over()).await.expect("it ends");
        (end, asked.elapsed())
    }

    fn request(version: Version) -> Request<()> {
        Request::builder().version(version).body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_at_first_is_given_the_time_of_a_header() {
        let (end, after) = over_after(&activity()).await;
        assert_eq!((end, after.as_secs()), (ConnectionEnd::Header, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_and_one_that_answers_does_not() {
        let activity = activity();
        let answer = activity.begin(&request(Version::HTTP_11)).answered(body::empty());
        let waited = tokio::time::timeout(Duration::from_hours(2), activity.over()).await;
        assert!(waited.is_err(), "an answer may take long");
        drop(answer);
        let (end, after) = over_after(&activity).await;
        assert_eq!((end, after.as_secs()), (ConnectionEnd::Idle, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_header_has_the_time_of_the_first_over_http_1_alone() {
        for (version, ended) in [(Version::HTTP_11, ConnectionEnd::Header), (Version::HTTP_2, ConnectionEnd::Idle)] {
            let activity = activity();
            drop(activity.begin(&request(version)).answered(body::empty()));
            let (near, mut far) = io::duplex(64);
            far.write_all(b"GET / HT").await.unwrap();
            Watched::new(near, Arc::clone(&activity)).read_u8().await.unwrap();
            assert_eq!(over_after(&activity).await.0, ended, "{version:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_an_answer_is_cut_off() {
        let activity = activity();
        let _answer = activity.begin(&request(Version::HTTP_2)).answered(body::empty());
        let (near, mut far) = io::duplex(4);
        let mut near = Watched::new(near, Arc::clone(&activity));
        let writing = tokio::spawn(async move { near.write_all(b"12345678").await });
        tokio::time::sleep(Duration::from_secs(50)).await;
        far.read_exact(&mut [0; 2]).await.unwrap();
        let (end, after) = over_after(&activity).await;
        assert_eq!((end, after.as_secs()), (ConnectionEnd::Stalled, 60), "from the last byte that it took");
        writing.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_most_of_its_requests_back_is_cut_off() {
        let activity = activity();
        for _ in 0..8 {
            drop(activity.begin(&request(Version::HTTP_2)).answered(body::empty()));
        }
        let taken_back = |times: usize| (0..times).for_each(|_| drop(activity.begin(&request(Version::HTTP_2))));
        taken_back(8);
        let waited = tokio::time::timeout(Duration::from_secs(1), activity.over()).await;
        assert!(waited.is_err(), "half of them is not most");
        taken_back(1);
        assert_eq!(over_after(&activity).await, (ConnectionEnd::Resets, Duration::ZERO));
    }
}
