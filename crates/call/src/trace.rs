//! W3C trace context: which trace a call belongs to.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, versions 00 and up. A header that breaks the
//! grammar is dropped and a new trace starts, as the specification asks: a stranger's broken header
//! must not fail a call.

use std::sync::{Arc, LazyLock};

use uuid::Uuid;

/// Longest `tracestate` that is carried on, in bytes; the specification asks for at least 512.
const STATE_LIMIT: usize = 512;

/// Which trace a call belongs to, and the span that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The calling span.
    pub span_id: [u8; 8],
    /// Bit 0: the caller records the trace.
    pub flags: u8,
    /// True where the trace begins: `span_id` is no span's, and the first span has no parent.
    pub is_new: bool,
    /// What tracing vendors carry along, unread; empty for none.
    pub state: Arc<str>,
}

impl TraceContext {
    /// A new trace, which nobody records.
    pub fn start() -> Self {
        let (trace, span) = (Uuid::new_v4(), Uuid::new_v4());
        let mut span_id = [0; 8];
        span_id.copy_from_slice(&span.as_bytes()[8..]);
        Self { trace_id: *trace.as_bytes(), span_id, flags: 0, is_new: true, state: no_state() }
    }

    /// Reads `traceparent` and `tracestate`; `None` if the former breaks the grammar.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let mut parts = parent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = hex::<1>(version)?[0];
        if version == 0xff || version == 0 && parts.next().is_some() {
            return None;
        }
        let (trace_id, span_id) = (hex::<16>(trace)?, hex::<8>(span)?);
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        let state = state.filter(|state| !state.is_empty() && state.len() <= STATE_LIMIT).map_or_else(no_state, Arc::from);
        Some(Self { trace_id, span_id, flags: hex::<1>(flags)?[0], is_new: false, state })
    }

    /// The `traceparent` header.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, &self.trace_id);
        text.push('-');
        push_hex(&mut text, &self.span_id);
        text.push('-');
        push_hex(&mut text, &[self.flags]);
        text
    }

    /// The trace's id in hexadecimal.
    pub fn trace(&self) -> String {
        let mut text = String::with_capacity(32);
        push_hex(&mut text, &self.trace_id);
        text
    }
}

/// Nearly every call has none: they share it.
fn no_state() -> Arc<str> {
    static NONE: LazyLock<Arc<str>> = LazyLock::new(Arc::default);
    Arc::clone(&NONE)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let place = usize::from(*byte) * 2;
        text.push_str(&HEX[place..place + 2]);
    }
}

/// The two digits of each byte, one after the other: looked up and copied, where each digit alone would be encoded.
const HEX: &str = match std::str::from_utf8(&DIGITS) {
    Ok(digits) => digits,
    Err(_) => panic!("digits are ASCII"),
};

const DIGITS: [u8; 512] = hex_digits();

const fn hex_digits() -> [u8; 512] {
    let (mut digits, mut at) = ([0; 512], 0);
    while at < 512 {
        let half = if at % 2 == 0 { at / 32 } else { at / 2 % 16 };
        digits[at] = b"0123456789abcdef"[half];
        at += 1;
    }
    digits
}

/// Lower-case hexadecimal of exactly `N` bytes.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    // What is no digit sets a bit that no digit has: one look at the end, none on the way.
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => 0x80,
    };
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let (high, low) = (digit(pair[0]), digit(pair[1]));
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen & 0x80 == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let context = TraceContext::parse(PARENT, Some("a=1"));
        assert_eq!(context.as_ref().map(TraceContext::traceparent).as_deref(), Some(PARENT));
        assert_eq!(context.map(|context| context.state).as_deref(), Some("a=1"));
        let started = TraceContext::start();
        let received = TraceContext::parse(&started.traceparent(), None);
        assert_eq!(received, Some(TraceContext { is_new: false, ..started }), "whoever receives it did not begin it");
    }

    #[test]
    fn a_header_that_breaks_the_grammar_is_dropped() {
        for broken in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(broken, None), None, "{broken}");
        }
    }
}
