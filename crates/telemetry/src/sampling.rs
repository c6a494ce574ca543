//! Which traces are recorded: decided once, where a trace begins, and carried in its flags.
//!
//! Whoever is called obeys the flag, so that a trace is recorded in every domain or in none, and a
//! call of a trace that is not recorded makes no span at all.

use std::sync::atomic::{AtomicU64, Ordering};

use weft_call::TraceContext;

/// The lowest bit of the flags: the trace is recorded (W3C trace context, 3.3).
const SAMPLED: u8 = 1;

/// Of a trace's id the last 56 bits are random (W3C trace context level 2, "random trace id").
const RANDOM: u64 = 1 << 56;

/// Traces whose random bits are below this are recorded.
static BELOW: AtomicU64 = AtomicU64::new(RANDOM);

/// Records this share of the traces that begin from now on, 0 to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 2^56")]
pub(crate) fn set_ratio(ratio: f64) {
    BELOW.store((ratio.clamp(0.0, 1.0) * RANDOM as f64) as u64, Ordering::Relaxed);
}

/// A new trace, recorded or not as the ratio says.
pub fn start_trace() -> TraceContext {
    decided(TraceContext::start(), BELOW.load(Ordering::Relaxed))
}

/// True if the spans of the trace are recorded.
pub fn is_sampled(trace: &TraceContext) -> bool {
    trace.flags & SAMPLED != 0
}

fn decided(mut trace: TraceContext, below: u64) -> TraceContext {
    let mut low = [0; 8];
    low.copy_from_slice(&trace.trace_id[8..]);
    let sampled = u64::from_be_bytes(low) % RANDOM < below;
    trace.flags = if sampled { trace.flags | SAMPLED } else { trace.flags & !SAMPLED };
    trace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_share_of_recorded_traces() {
        let share = |below: u64| (0..10_000).filter(|_| is_sampled(&decided(TraceContext::start(), below))).count();
        assert_eq!(share(RANDOM), 10_000);
        assert_eq!(share(0), 0);
        let half = share(RANDOM / 2);
        assert!((4_500..5_500).contains(&half), "{half}");
    }
}
