//! `google.protobuf.Duration`: seconds with up to nine decimals and an `s`.

use super::{push_decimal, push_nanos, read_nanos};

/// About 10,000 years, the bound that `duration.proto` states for the seconds; decimals may exceed it.
const MAX_SECONDS: i64 = 315_576_000_000;

/// Reads `-1.5s`.
pub(crate) fn parse(text: &[u8]) -> Option<(i64, i32)> {
    let text = text.strip_suffix(b"s")?;
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 || count > 12 {
        return None;
    }
    let (digits, rest) = text.split_at(count);
    let seconds = digits.iter().fold(0i64, |value, b| value * 10 + i64::from(b - b'0'));
    let (nanos, rest) = read_nanos(rest)?;
    if !rest.is_empty() || seconds > MAX_SECONDS {
        return None;
    }
    Some(if negative { (-seconds, -(nanos as i32)) } else { (seconds, nanos as i32) })
}

/// Writes `-1.500s`.
pub(crate) fn print(seconds: i64, nanos: i32, text: &mut Vec<u8>) -> Option<()> {
    let opposed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    if seconds.unsigned_abs() > MAX_SECONDS.unsigned_abs() || nanos.unsigned_abs() > 999_999_999 || opposed {
        return None;
    }
    if seconds < 0 || nanos < 0 {
        text.push(b'-');
    }
    push_decimal(text, seconds.unsigned_abs());
    push_nanos(text, nanos.unsigned_abs());
    text.push(b's');
    Some(())
}
