//! How many calls are worked on at once: a limit that adapts, with a bounded queue before it.
//!
//! Problem: beyond what an instance can work on, more calls at once make every call slower until all
//! of them miss their deadlines, and nobody knows the right number beforehand. Rule: the limit
//! follows latency (a gradient, as in Netflix's concurrency-limits): while calls take about as long as
//! the same methods usually do, and the limit is in use, it grows by its square root; when they take
//! longer than the tolerance allows it shrinks by as much, and by a tenth when calls miss their
//! deadlines or are pushed back. What finds no place waits in a bounded queue, on its own deadline's
//! time; with the queue full or the wait too long the call is refused before it has begun, and told
//! when to come again. Recovery: the limit never falls below its least, so there are always calls to
//! measure, and a latency that has come to stay becomes the usual one.
//!
//! Both sides use it: a domain for what it works on, a caller for what it sends to one endpoint.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use weft_call::{Deadline, Error, MeshReason, MethodContract};

use crate::tuning::{ConcurrencyTuning, LiveTuning, Tuning};

/// The limit is set anew after this, if enough calls have ended.
const WINDOW: Duration = Duration::from_millis(500);
/// The calls without which a window says nothing.
const SAMPLE: u32 = 10;
/// After this long an old duration counts for about a third of what is usual.
const MEMORY: Duration = Duration::from_secs(30);
/// How much of the way to its goal the limit goes in one window.
const STEP: f64 = 0.2;

/// Which part of the tuning a limiter obeys.
type Part = fn(&Tuning) -> &ConcurrencyTuning;

/// Lets in as many calls at once as go well.
#[derive(Debug)]
pub(crate) struct Limiter {
    tuning: LiveTuning,
    part: Part,
    places: Semaphore,
    /// Places that are taken and go when they are given back: the limit fell below what was let in.
    owed: AtomicU32,
    waiting: AtomicU32,
    adaptive: Mutex<Adaptive>,
}

/// A place. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    limiter: &'a Limiter,
    permit: Option<SemaphorePermit<'a>>,
}

/// A call in the queue.
struct Waiting<'a>(&'a AtomicU32);

impl Limiter {
    pub(crate) fn new(tuning: LiveTuning, part: Part, now: Instant) -> Self {
        let initial = part(&tuning.load()).initial;
        let adaptive = Mutex::new(Adaptive::new(initial, now));
        let places = Semaphore::new(initial as usize);
        Self { tuning, part, places, owed: AtomicU32::new(0), waiting: AtomicU32::new(0), adaptive }
    }

    /// True if a call would be let in at once.
    pub(crate) fn has_room(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// A place for a call of `domain`, now or after a wait in the queue.
    pub(crate) async fn enter(&self, domain: &str, deadline: Option<Deadline>) -> Result<Place<'_>, Error> {
        if let Ok(permit) = self.places.try_acquire() {
            return Ok(Place { limiter: self, permit: Some(permit) });
        }
        let (queue, longest) = {
            let tuning = self.tuning.load();
            let part = (self.part)(&tuning);
            (part.queue, part.queue_wait)
        };
        let overloaded = || {
            let message = format!("{domain} has more calls than it can work on");
            // Those who are refused together must not come back together.
            Error::new(MeshReason::Overloaded, message).with_retry_after(longest.mul_f64(0.5 + 0.5 * fastrand::f64()))
        };
        let _waiting = Waiting::join(&self.waiting, queue).ok_or_else(overloaded)?;
        let turn = Instant::now() + longest;
        let until = deadline.map_or(turn, |deadline| turn.min(deadline.instant()));
        match timeout_at(until, self.places.acquire()).await {
            Ok(Ok(permit)) => Ok(Place { limiter: self, permit: Some(permit) }),
            Err(_) if until < turn => {
                let message = format!("the time for the call was used up while it waited for {domain}");
                Err(Error::new(MeshReason::DeadlineSpent, message))
            }
            // The semaphore is never closed.
            Err(_) | Ok(Err(_)) => Err(overloaded()),
        }
    }

    /// How long a call of the method usually takes; nothing before the first.
    pub(crate) fn usual(&self, method: &MethodContract) -> Option<Duration> {
        let adaptive = self.adaptive();
        let known = adaptive.usual.iter().find(|usual| std::ptr::eq(usual.method, method.path));
        known.map(|usual| Duration::from_secs_f64(usual.seconds))
    }

    /// The limit now.
    pub(crate) fn limit(&self) -> u32 {
        self.adaptive().limit()
    }

    /// Calls that have a place.
    pub(crate) fn in_flight(&self) -> u32 {
        self.taken(self.limit())
    }

    /// Calls that wait for one.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn taken(&self, limit: u32) -> u32 {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        (limit + self.owed.load(Ordering::Relaxed)).saturating_sub(free)
    }

    fn adaptive(&self) -> std::sync::MutexGuard<'_, Adaptive> {
        self.adaptive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, ended: &Ended, now: Instant) {
        let mut adaptive = self.adaptive();
        let before = adaptive.limit();
        let in_flight = self.taken(before);
        if !adaptive.observe(ended, in_flight, now) {
            return;
        }
        let after = adaptive.adapt((self.part)(&self.tuning.load()), now);
        if after >= before {
            let settled = self.settle(after - before);
            self.places.add_permits((after - before - settled) as usize);
        } else {
            let gone = u32::try_from(self.places.forget_permits((before - after) as usize)).unwrap_or(0);
            self.owed.fetch_add(before - after - gone, Ordering::Relaxed);
        }
    }

    /// Takes up to `count` off what is owed; how many that were.
    fn settle(&self, count: u32) -> u32 {
        let less = |owed: u32| Some(owed.saturating_sub(count));
        let owed = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or(0);
        owed.min(count)
    }
}

impl Place<'_> {
    /// Gives it back, and tells how long the call took and whether it was too much for whoever worked
    /// on it. A place that is dropped instead teaches nothing.
    pub(crate) fn leave(self, method: &'static MethodContract, took: Duration, overloaded: bool) {
        self.limiter.observe(&Ended { method: method.path, took, overloaded }, Instant::now());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.limiter.settle(1) == 1
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicU32, most: u32) -> Option<Self> {
        let joined = |waiting: u32| (waiting < most).then_some(waiting + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, joined).ok().map(|_| Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a call ended.
#[derive(Debug)]
struct Ended {
    method: &'static str,
    took: Duration,
    overloaded: bool,
}

/// The algorithm: pure, its time is told.
#[derive(Debug)]
struct Adaptive {
    limit: f64,
    window: Window,
    /// How long each method usually takes. A contract has a handful of methods.
    usual: Vec<Usual>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    calls: u32,
    /// How long its calls took, and would usually have taken, in seconds.
    took: f64,
    expected: f64,
    busiest: u32,
    overloaded: bool,
}

#[derive(Debug)]
struct Usual {
    method: &'static str,
    seconds: f64,
    updated: Instant,
}

impl Adaptive {
    fn new(initial: u32, now: Instant) -> Self {
        Self { limit: f64::from(initial), window: Window::new(now), usual: Vec::new() }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is kept between 1 and 100000")]
    fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Takes in a call; true if the window is over.
    fn observe(&mut self, ended: &Ended, in_flight: u32, now: Instant) -> bool {
        let took = ended.took.as_secs_f64();
        let usual = self.usual(ended.method, took, now);
        let window = &mut self.window;
        window.calls += 1;
        window.took += took;
        window.expected += usual;
        window.busiest = window.busiest.max(in_flight);
        window.overloaded |= ended.overloaded;
        window.calls >= SAMPLE && now.saturating_duration_since(window.began) >= WINDOW
    }

    /// How long the method took until now, by an average weighted by age.
    fn usual(&mut self, method: &'static str, took: f64, now: Instant) -> f64 {
        let Some(known) = self.usual.iter_mut().find(|usual| std::ptr::eq(usual.method, method)) else {
            self.usual.push(Usual { method, seconds: took, updated: now });
            return took;
        };
        let before = known.seconds;
        let kept = (-now.saturating_duration_since(known.updated).as_secs_f64() / MEMORY.as_secs_f64()).exp();
        known.seconds = before * kept + took * (1.0 - kept);
        known.updated = now;
        before
    }

    /// Begins a new window with the limit that the last one calls for.
    fn adapt(&mut self, tuning: &ConcurrencyTuning, now: Instant) -> u32 {
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let slowdown = window.took / window.expected.max(f64::MIN_POSITIVE);
        let gradient = (tuning.tolerance / slowdown.max(f64::MIN_POSITIVE)).clamp(0.5, 1.0);
        let in_use = f64::from(window.busiest) * 2.0 >= self.limit;
        let wanted = if window.overloaded {
            self.limit * 0.9
        } else {
            let goal = if gradient < 1.0 {
                self.limit * gradient
            } else if in_use {
                self.limit + self.limit.sqrt()
            } else {
                // Calls went well, and would have with a lower limit: that is no reason to raise it.
                self.limit
            };
            self.limit + STEP * (goal - self.limit)
        };
        self.limit = wanted.clamp(f64::from(tuning.least), f64::from(tuning.most));
        self.limit()
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, calls: 0, took: 0.0, expected: 0.0, busiest: 0, overloaded: false }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use weft_call::Code;

    use super::*;
    use crate::fixture;

    const MS: Duration = Duration::from_millis(1);
    static METHOD: &str = "/weft.orders.v1.Orders/GetOrder";

    static REPORT: &str = "/weft.orders.v1.Orders/Report";

    /// Windows of a hundred calls each; the limit after them.
    fn windows(adaptive: &mut Adaptive, now: &mut Instant, count: u32, in_flight: u32, took: Duration, overloaded: bool) -> u32 {
        for call in 0..count * 100 {
            *now += WINDOW / 100;
            let _ = adaptive.observe(&Ended { method: METHOD, took, overloaded }, in_flight, *now);
            if call % 100 == 99 {
                adaptive.adapt(&ConcurrencyTuning::default(), *now);
            }
        }
        adaptive.limit()
    }

    #[test]
    fn the_limit_grows_while_it_is_in_use_and_calls_go_well() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(100, now);
        assert_eq!(windows(&mut adaptive, &mut now, 10, 20, 5 * MS, false), 100, "it is not in use");
        assert!(windows(&mut adaptive, &mut now, 10, 100, 5 * MS, false) > 115);
        assert_eq!(windows(&mut adaptive, &mut now, 5000, u32::MAX, 5 * MS, false), ConcurrencyTuning::default().most);
    }

    #[test]
    fn the_limit_shrinks_while_calls_are_slower_than_usual_and_a_lasting_latency_becomes_usual() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(100, now);
        windows(&mut adaptive, &mut now, 120, 20, 5 * MS, false);
        let slow = windows(&mut adaptive, &mut now, 8, 100, 50 * MS, false);
        assert!(slow < 60, "{slow}");
        let later = windows(&mut adaptive, &mut now, 240, 100, 50 * MS, false);
        assert!(later > slow, "{later}");
    }

    #[test]
    fn calls_that_are_pushed_back_shrink_it_to_its_least_and_no_further() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(100, now);
        assert_eq!(windows(&mut adaptive, &mut now, 1, 100, 5 * MS, true), 90);
        assert_eq!(windows(&mut adaptive, &mut now, 100, 100, 5 * MS, true), ConcurrencyTuning::default().least);
    }

    #[test]
    fn quick_and_slow_methods_beside_each_other_are_each_compared_with_themselves() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(100, now);
        // First reads alone, then long reports among them.
        windows(&mut adaptive, &mut now, 20, 100, MS, false);
        let before = adaptive.limit();
        for call in 0..2000 {
            now += WINDOW / 100;
            let (method, took) = if call % 2 == 0 { (METHOD, MS) } else { (REPORT, 900 * MS) };
            if adaptive.observe(&Ended { method, took, overloaded: false }, 100, now) {
                adaptive.adapt(&ConcurrencyTuning::default(), now);
            }
        }
        assert!(adaptive.limit() > before);
    }

    fn limiter(initial: u32, queue: u32) -> Arc<Limiter> {
        let serving = ConcurrencyTuning { initial, least: 1, queue, ..ConcurrencyTuning::default() };
        let tuning = LiveTuning::new(Tuning { serving, ..Tuning::default() }).unwrap();
        Arc::new(Limiter::new(tuning, |tuning| &tuning.serving, Instant::now()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_place_waits_its_turn_and_a_full_queue_refuses_at_once() {
        let limiter = limiter(1, 1);
        let first = limiter.enter("orders", None).await.unwrap();
        let second = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.enter("orders", None).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((limiter.in_flight(), limiter.waiting()), (1, 1));
        let refused = limiter.enter("orders", None).await.unwrap_err();
        assert_eq!((refused.code(), refused.reason()), (Code::ResourceExhausted, Some(MeshReason::Overloaded)));
        assert!(refused.retry_after().is_some_and(|wait| wait >= Duration::from_millis(500)));
        drop(first);
        assert!(second.await.unwrap().is_ok());
        assert_eq!((limiter.in_flight(), limiter.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_with_the_deadline_or_the_longest_wait() {
        let limiter = limiter(1, 10);
        let _held = limiter.enter("orders", None).await.unwrap();
        let began = Instant::now();
        let spent = limiter.enter("orders", Some(Deadline::after(20 * MS))).await.unwrap_err();
        assert_eq!((spent.reason(), began.elapsed().as_millis()), (Some(MeshReason::DeadlineSpent), 20));
        let refused = limiter.enter("orders", Some(Deadline::after(Duration::from_mins(1)))).await.unwrap_err();
        assert_eq!(refused.reason(), Some(MeshReason::Overloaded));
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(limiter.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_falls_takes_the_places_back_as_calls_end() {
        let limiter = limiter(100, 0);
        let mut places = Vec::new();
        for _ in 0..100 {
            places.push(limiter.enter("orders", None).await.unwrap());
        }
        for _ in 0..20 {
            tokio::time::advance(WINDOW / 10).await;
            let place = places.pop().unwrap();
            place.leave(fixture::method("orders"), MS, true);
        }
        let limit = limiter.limit();
        assert!(limit < 90, "{limit}");
        drop(places);
        assert_eq!(limiter.in_flight(), 0);
        let mut let_in = Vec::new();
        while let Ok(place) = limiter.enter("orders", None).await {
            let_in.push(place);
        }
        assert_eq!(let_in.len(), limit as usize);
    }
}
