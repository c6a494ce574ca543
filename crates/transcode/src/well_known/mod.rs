//! Well-known types that have a text form in JSON: `Timestamp`, `Duration`, `FieldMask`
//! (protobuf.dev/programming-guides/json).

pub(crate) mod duration;
pub(crate) mod field_mask;
pub(crate) mod timestamp;

use crate::number::eight_digits;

/// Adds a number of up to twelve digits without leading zeros.
fn push_decimal(text: &mut Vec<u8>, value: u64) {
    let mut divisor = 100_000_000_000;
    while divisor > 1 && value < divisor {
        divisor /= 10;
    }
    while divisor > 0 {
        text.push(b'0' + (value / divisor % 10) as u8);
        divisor /= 10;
    }
}

/// The digits behind the decimal point: 0, 3, 6 or 9 of them, as many as the value needs.
pub(crate) fn push_nanos(text: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let mut digits = [b'0'; 9];
    digits[..8].copy_from_slice(&eight_digits(nanos / 10).to_le_bytes());
    digits[8] += (nanos % 10) as u8;
    let shown = if nanos.is_multiple_of(1_000_000) {
        3
    } else if nanos.is_multiple_of(1_000) {
        6
    } else {
        9
    };
    text.push(b'.');
    text.extend_from_slice(&digits[..shown]);
}

/// Reads `.123` at the start of `text`: the nanoseconds and what follows. One to nine digits.
pub(crate) fn read_nanos(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 || count > 9 {
        return None;
    }
    let (digits, rest) = fraction.split_at(count);
    let value = digits.iter().fold(0, |value, b| value * 10 + u32::from(b - b'0'));
    Some((value * 10u32.pow(9 - count as u32), rest))
}
