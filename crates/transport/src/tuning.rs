//! What operators may change while a process runs: one struct for both stacks, swapped whole.
//!
//! Problem: a breaker or a limit that is wrong is found out under load, when a restart is the last
//! thing anybody wants. Rule: every value that may change stands in [`Tuning`], and whoever uses it
//! holds a [`LiveTuning`] and reads it where it decides; what a value says of connections counts from
//! the next connection on. Recovery: a tuning that cannot work is refused by the name of the value
//! that is wrong, and the one before it stays.

use std::{sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};

/// Everything about the client and server stacks that may change while they run.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Connections, at both ends.
    pub connections: ConnectionTuning,
    /// Which endpoints are left alone for a while.
    pub breaker: BreakerTuning,
    /// Which failed calls are sent again.
    pub retry: RetryTuning,
    /// How many calls a caller has under way at one endpoint.
    pub calling: ConcurrencyTuning,
    /// How many calls a domain works on at once.
    pub serving: ConcurrencyTuning,
    /// How long streams last, at both ends.
    pub streams: StreamTuning,
}

/// How connections begin, are probed and end.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionTuning {
    /// For name resolution, TCP and TLS together when connecting; for TLS when accepting.
    pub handshake: Duration,
    /// A peer that is silent for so long is probed with a ping.
    pub keep_alive_interval: Duration,
    /// A ping that is not answered for so long ends the connection.
    pub keep_alive_timeout: Duration,
    /// A caller replaces a connection of this age, give or take a tenth, so that its calls reach
    /// what has come up behind the address since.
    pub max_age: Duration,
    /// How much longer than `max_age` a server waits for the caller to do so before it sends GOAWAY,
    /// and for calls under way to end before it closes the connection.
    pub age_grace: Duration,
}

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerTuning {
    /// Failures in a row that eject.
    pub consecutive_failures: u32,
    /// The share of calls within `window` that must succeed, 0 to 1; fewer eject.
    pub success_rate: f64,
    /// The window of the success rate; it slides.
    pub window: Duration,
    /// The calls in a window without which its rate says nothing.
    pub minimum_calls: u32,
    /// The first ejection's length; each in a row doubles it.
    pub ejection: Duration,
    /// The longest ejection.
    pub ejection_limit: Duration,
}

/// How often failed calls are sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryTuning {
    /// How often one call is sent again at most; 0 for never.
    pub attempts: u32,
    /// Retries for each first attempt, 0 to 1, shared by all calls to a domain.
    pub budget_ratio: f64,
    /// Retries a second that a domain's callers have whatever they send.
    pub budget_floor: u32,
    /// The mean pause before the first retry is half of this; each further one is four times longer.
    pub first_pause: Duration,
    /// The longest pause of our own; a callee may ask for more.
    pub pause_limit: Duration,
}

/// How far the number of calls at once adapts.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrencyTuning {
    /// Calls at once to begin with.
    pub initial: u32,
    /// Never fewer than this.
    pub least: u32,
    /// Never more than this.
    pub most: u32,
    /// How much slower than usual calls may be, as a factor, before fewer are let in.
    pub tolerance: f64,
    /// Calls that may wait for a place; more are refused at once.
    pub queue: u32,
    /// How long a call may wait for a place; its deadline may be earlier.
    pub queue_wait: Duration,
}

/// How long streams last.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamTuning {
    /// A stream on which no message passes for so long is ended.
    pub idle: Duration,
    /// A stream that is open for so long is ended.
    pub lifetime: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connections: ConnectionTuning::default(),
            breaker: BreakerTuning::default(),
            retry: RetryTuning::default(),
            calling: ConcurrencyTuning { queue: 64, ..ConcurrencyTuning::default() },
            serving: ConcurrencyTuning::default(),
            streams: StreamTuning::default(),
        }
    }
}

impl Default for ConnectionTuning {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(3),
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            max_age: Duration::from_mins(30),
            age_grace: Duration::from_mins(5),
        }
    }
}

impl Default for BreakerTuning {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            success_rate: 0.5,
            window: Duration::from_secs(10),
            minimum_calls: 20,
            ejection: Duration::from_secs(1),
            ejection_limit: Duration::from_mins(1),
        }
    }
}

impl Default for RetryTuning {
    fn default() -> Self {
        Self {
            attempts: 2,
            budget_ratio: 0.2,
            budget_floor: 10,
            first_pause: Duration::from_millis(10),
            pause_limit: Duration::from_millis(500),
        }
    }
}

impl Default for ConcurrencyTuning {
    fn default() -> Self {
        Self { initial: 128, least: 16, most: 2048, tolerance: 2.0, queue: 1024, queue_wait: Duration::from_secs(1) }
    }
}

impl Default for StreamTuning {
    fn default() -> Self {
        Self { idle: Duration::from_mins(5), lifetime: Duration::from_hours(1) }
    }
}

/// A tuning that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {must_be}")]
pub struct TuningError {
    /// The value that is wrong, by its path in [`Tuning`]: `breaker.window`.
    pub name: &'static str,
    /// What it must be.
    pub must_be: &'static str,
}

impl Tuning {
    /// Finds the first value with which the stacks could not work.
    pub fn check(&self) -> Result<(), TuningError> {
        const AT_LEAST_A_MILLISECOND: &str = "at least a millisecond";
        let long = |span: Duration| span >= Duration::from_millis(1);
        let share = |ratio: f64| (0.0..=1.0).contains(&ratio);
        let demands = |name, holds: bool, must_be| if holds { Ok(()) } else { Err(TuningError { name, must_be }) };
        let Self { connections, breaker, retry, calling, serving, streams } = self;
        for (name, span) in [
            ("connections.handshake", connections.handshake),
            ("connections.keep_alive_interval", connections.keep_alive_interval),
            ("connections.keep_alive_timeout", connections.keep_alive_timeout),
            ("connections.max_age", connections.max_age),
            ("connections.age_grace", connections.age_grace),
            ("breaker.window", breaker.window),
            ("breaker.ejection", breaker.ejection),
            ("retry.first_pause", retry.first_pause),
            ("calling.queue_wait", calling.queue_wait),
            ("serving.queue_wait", serving.queue_wait),
            ("streams.idle", streams.idle),
            ("streams.lifetime", streams.lifetime),
        ] {
            demands(name, long(span), AT_LEAST_A_MILLISECOND)?;
        }
        demands("breaker.consecutive_failures", breaker.consecutive_failures > 0, "at least 1")?;
        demands("breaker.minimum_calls", breaker.minimum_calls > 0, "at least 1")?;
        demands("breaker.success_rate", share(breaker.success_rate), "from 0 to 1")?;
        demands("breaker.ejection_limit", breaker.ejection_limit >= breaker.ejection, "no shorter than breaker.ejection")?;
        demands("retry.attempts", retry.attempts <= 10, "at most 10")?;
        demands("retry.budget_ratio", share(retry.budget_ratio), "from 0 to 1")?;
        demands("retry.budget_floor", retry.budget_floor <= 10_000, "at most 10000")?;
        demands("retry.pause_limit", retry.pause_limit >= retry.first_pause, "no shorter than retry.first_pause")?;
        calling.check(["calling.least", "calling.most", "calling.initial", "calling.tolerance", "calling.queue"])?;
        serving.check(["serving.least", "serving.most", "serving.initial", "serving.tolerance", "serving.queue"])
    }
}

impl ConcurrencyTuning {
    fn check(&self, [least, most, initial, tolerance, queue]: [&'static str; 5]) -> Result<(), TuningError> {
        let demands = |name, holds: bool, must_be| if holds { Ok(()) } else { Err(TuningError { name, must_be }) };
        demands(least, self.least > 0, "at least 1")?;
        demands(most, (self.least..=100_000).contains(&self.most), "from the least to 100000")?;
        demands(initial, (self.least..=self.most).contains(&self.initial), "between the least and the most")?;
        demands(tolerance, (1.0..=100.0).contains(&self.tolerance), "from 1 to 100")?;
        demands(queue, self.queue <= 100_000, "at most 100000")
    }
}

/// The tuning that holds now. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LiveTuning(Arc<ArcSwap<Tuning>>);

impl LiveTuning {
    /// Begins with `tuning`, which must be able to work.
    pub fn new(tuning: Tuning) -> Result<Self, TuningError> {
        tuning.check()?;
        Ok(Self(Arc::new(ArcSwap::from_pointee(tuning))))
    }

    /// What holds now. Keep it only for one decision: it is not told of changes.
    pub fn load(&self) -> Guard<Arc<Tuning>> {
        self.0.load()
    }

    /// Holds from now on, for calls and connections that begin after it. One that cannot work is
    /// refused, and what held before holds on.
    pub fn store(&self, tuning: Tuning) -> Result<(), TuningError> {
        tuning.check()?;
        self.0.store(Arc::new(tuning));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work() {
        assert_eq!(Tuning::default().check(), Ok(()));
    }

    #[test]
    fn a_tuning_that_cannot_work_is_refused_by_name_and_the_old_one_stays() {
        let live = LiveTuning::default();
        let seen = live.clone();
        let mut wrong = Tuning::default();
        wrong.breaker.window = Duration::ZERO;
        wrong.retry.attempts = 1;
        let refused = live.store(wrong.clone()).map_err(|error| error.to_string());
        assert_eq!(refused, Err("breaker.window must be at least a millisecond".to_owned()));
        assert_eq!(seen.load().retry.attempts, 2);
        wrong.breaker.window = Duration::from_secs(1);
        assert_eq!(live.store(wrong), Ok(()));
        assert_eq!(seen.load().retry.attempts, 1);
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let wrong = |change: fn(&mut Tuning)| {
            let mut tuning = Tuning::default();
            change(&mut tuning);
            tuning.check().map_err(|error| error.name)
        };
        assert_eq!(wrong(|tuning| tuning.serving.initial = 1), Err("serving.initial"));
        assert_eq!(wrong(|tuning| tuning.calling.most = 1), Err("calling.most"));
        assert_eq!(wrong(|tuning| tuning.calling.tolerance = f64::NAN), Err("calling.tolerance"));
        assert_eq!(wrong(|tuning| tuning.breaker.success_rate = 1.5), Err("breaker.success_rate"));
        assert_eq!(wrong(|tuning| tuning.retry.pause_limit = Duration::ZERO), Err("retry.pause_limit"));
    }
}
