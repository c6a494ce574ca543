//! Time on a processor, which other work on the machine does not lengthen.

use std::time::Instant;

/// Measures from its start.
pub(crate) struct Stopwatch {
    wall: Instant,
    processor: Option<u64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { processor: processor(), wall: Instant::now() }
    }

    /// Seconds on a processor since the start; of the clock where the kernel does not tell.
    pub(crate) fn seconds(&self) -> f64 {
        match (self.processor, processor()) {
            (Some(start), Some(end)) if end > start => (end - start) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// Nanoseconds that this thread has run (Linux, `Documentation/scheduler/sched-stats`).
fn processor() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_ascii_whitespace().next()?.parse().ok()
}
