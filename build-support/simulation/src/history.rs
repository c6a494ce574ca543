//! What happened, as callers and servers saw it: the material of every invariant.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use weft_call::Code;

use crate::ledger::Operation;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Process {
    /// A caller, by its number.
    Caller(usize),
    /// A server that calls on, by its number and how often it was started before.
    Server(usize, u32),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The schedule broke or mended something.
    Schedule(String),
    /// A call began, with this long to go; `parent` is the call in whose handler it was made.
    Began { call: u64, by: Process, operation: Operation, key: Option<u64>, budget: Duration, parent: Option<u64> },
    /// It ended for its caller; `None` if the caller gave up.
    Ended { call: u64, code: Option<Code> },
    /// An attempt of it reached a server, with this long left by the wire.
    Received { call: u64, attempt: u64, server: usize, left: Option<Duration> },
    /// The server was done with the attempt: it answered so, or was cut (`None`).
    Left { attempt: u64, code: Option<Code> },
    /// The change of a call was made, under this key.
    Effect { call: u64, key: u64 },
}

/// An event and when it happened, as time from the start, in whole ticks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) event: Event,
}

/// All that happens in one simulation. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    now_micros: AtomicU64,
    ids: AtomicU64,
    entries: Mutex<Vec<Entry>>,
}

impl History {
    /// The time that events are recorded under.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.0.now_micros.load(Ordering::Relaxed))
    }

    /// Sets the time; whoever drives the simulation does so before each tick.
    pub(crate) fn set_now(&self, now: Duration) {
        self.0.now_micros.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A number that nothing else in the simulation has.
    pub(crate) fn fresh_id(&self) -> u64 {
        self.0.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes down what happened now.
    pub(crate) fn record(&self, event: Event) {
        let entry = Entry { at: self.now(), event };
        self.entries().push(entry);
    }

    /// All that happened, in order.
    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries())
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that two histories share only if they are the same.
pub(crate) fn digest(entries: &[Entry]) -> u64 {
    let mut hasher = DefaultHasher::new();
    entries.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3}  {:?}", self.at.as_secs_f64(), self.event)
    }
}
