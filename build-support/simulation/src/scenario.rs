//! What a seed stands for: how many processes, how their clocks differ, and what breaks when.

use std::{fmt, time::Duration};

use chrono::TimeDelta;
use fastrand::Rng;

/// Nothing breaks before this: callers connect.
const WARM_UP: Duration = Duration::from_secs(3);
/// Everything is mended by this.
pub(crate) const MENDED: Duration = Duration::from_secs(25);
/// From here on traffic comes back to what is mended.
pub(crate) const RETURNING: Duration = Duration::from_secs(35);
/// From here on every call succeeds.
pub(crate) const RETURNED: Duration = Duration::from_secs(40);
/// No call begins after this.
pub(crate) const LAST_CALL: Duration = Duration::from_secs(80);
/// The simulation ends.
pub(crate) const END: Duration = Duration::from_secs(83);
/// How far a clock is wrong at most, in milliseconds: two differ by less than what assertions bear (5 s).
const SKEW_LIMIT: i64 = 2400;

/// Something that breaks. Servers are named by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Packets between the server and everyone else are lost.
    Partition { server: usize },
    /// Packets between the server and one caller are lost.
    OneLink { server: usize, caller: usize },
    /// What the server sends is lost; what is sent to it arrives.
    Mute { server: usize },
    /// Packets from and to the server wait, as with a stopped process; they arrive when it is mended.
    HalfOpen { server: usize },
    /// Packets from and to the server take this long.
    Lagging { server: usize, by: Duration },
    /// The server answers UNAVAILABLE at once.
    Failing { server: usize },
    /// The server answers RESOURCE_EXHAUSTED at once.
    Full { server: usize },
    /// The server takes this much longer.
    Slow { server: usize, by: Duration },
    /// The server fails for half a second and works for half a second.
    Flapping { server: usize },
    /// The server's process dies, and is started again at the end.
    Crashed { server: usize },
    /// The server drains and exits, and is started again at the end.
    Restarted { server: usize },
    /// All servers answer UNAVAILABLE.
    Outage,
    /// The registry tells nothing new.
    RegistryLost,
    /// The registry names nobody.
    RegistryEmpty,
    /// The registry names one more endpoint, where nobody listens.
    RegistryStale,
    /// The registry forgot the server, which works.
    RegistryForgot { server: usize },
}

/// A fault and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) fault: Fault,
}

/// One world and its fate.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) server_skews: Vec<TimeDelta>,
    pub(crate) caller_skews: Vec<TimeDelta>,
    /// In the order of their beginnings.
    pub(crate) faults: Vec<Planned>,
}

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (servers, callers) = (rng.usize(3..=5), rng.usize(1..=3));
        let mut skews = |count| (0..count).map(|_| TimeDelta::milliseconds(rng.i64(-SKEW_LIMIT..=SKEW_LIMIT))).collect();
        let (server_skews, caller_skews) = (skews(servers), skews(callers));
        let mut faults: Vec<Planned> = Vec::new();
        for _ in 0..rng.usize(3..=7) {
            let planned = plan(&mut rng, servers, callers);
            // What breaks twice at once is mended too early.
            let clashes = |other: &Planned| {
                other.fault.place() == planned.fault.place() && other.from <= planned.to && planned.from <= other.to
            };
            if !faults.iter().any(clashes) {
                faults.push(planned);
            }
        }
        faults.sort_by_key(|planned| planned.from);
        Self { seed, server_skews, caller_skews, faults }
    }

    pub(crate) fn servers(&self) -> usize {
        self.server_skews.len()
    }

    pub(crate) fn callers(&self) -> usize {
        self.caller_skews.len()
    }
}

/// Server 0 never breaks alone, so that there is always one that works, unless all fail.
fn plan(rng: &mut Rng, servers: usize, callers: usize) -> Planned {
    let millis = |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from..=to));
    let server = rng.usize(1..servers);
    let fault = match rng.u8(0..16) {
        0 => Fault::Partition { server },
        1 => Fault::OneLink { server, caller: rng.usize(..callers) },
        2 => Fault::Mute { server },
        3 => Fault::HalfOpen { server },
        4 => Fault::Lagging { server, by: millis(rng, 100, 600) },
        5 => Fault::Failing { server },
        6 => Fault::Full { server },
        7 => Fault::Slow { server, by: millis(rng, 200, 900) },
        8 => Fault::Flapping { server },
        9 => Fault::Crashed { server },
        10 => Fault::Restarted { server },
        11 => Fault::Outage,
        12 => Fault::RegistryLost,
        13 => Fault::RegistryEmpty,
        14 => Fault::RegistryStale,
        _ => Fault::RegistryForgot { server },
    };
    let lasts = match fault {
        Fault::Outage | Fault::RegistryEmpty => millis(rng, 500, 5000),
        _ => millis(rng, 2000, 8000),
    };
    let latest = MENDED.saturating_sub(lasts).saturating_sub(WARM_UP);
    let from = WARM_UP + latest.mul_f64(rng.f64());
    Planned { from, to: from + lasts, fault }
}

impl Fault {
    /// The server that it breaks, if it is one.
    pub(crate) fn server(self) -> Option<usize> {
        match self {
            Self::Partition { server }
            | Self::OneLink { server, .. }
            | Self::Mute { server }
            | Self::HalfOpen { server }
            | Self::Lagging { server, .. }
            | Self::Failing { server }
            | Self::Full { server }
            | Self::Slow { server, .. }
            | Self::Flapping { server }
            | Self::Crashed { server }
            | Self::Restarted { server } => Some(server),
            Self::Outage | Self::RegistryLost | Self::RegistryEmpty | Self::RegistryStale | Self::RegistryForgot { .. } => None,
        }
    }

    /// Two faults of one place do not happen at once.
    fn place(self) -> (bool, usize) {
        match self.server() {
            Some(server) => (true, server),
            None => (false, usize::from(self == Self::Outage)),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6.2} s to {:6.2} s: {:?}", self.from.as_secs_f64(), self.to.as_secs_f64(), self.fault)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {} servers, {} callers", self.seed, self.servers(), self.callers())?;
        self.faults.iter().try_for_each(|planned| write!(f, "\n  {planned}"))
    }
}
