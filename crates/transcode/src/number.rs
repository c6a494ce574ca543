//! Numbers as text: JSON's grammar in, the shortest text that reads back out.
//!
//! An integer field takes any number whose value is an integer, `1e3` and `2.50e1` too. A float is rounded to its
//! type first and tested for infinity then: `3.4028235e+38` is a valid `float`, though more than `f32::MAX` as `f64`.

use crate::error::Reason;

/// What [`scan`] found: `digits * 10^exponent`, when the digits fit.
#[derive(Clone, Copy)]
pub(crate) struct Scanned {
    /// Behind the number.
    pub(crate) end: usize,
    negative: bool,
    /// The digits as an integer, when `exact`.
    digits: u64,
    exponent: i32,
    /// No digit was dropped.
    exact: bool,
    /// Neither fraction nor exponent.
    plain: bool,
}

/// Digits that always fit in 64 bits.
const EXACT: usize = 19;

/// Powers of ten that `f64` holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22,
];

/// An integer of at most 18 digits without fraction or exponent: magnitude, sign and end. Most numbers are; whatever
/// is not, or not valid, is for [`scan`].
#[inline(always)]
pub(crate) fn plain(text: &[u8], pos: usize) -> Option<(u64, bool, usize)> {
    let negative = text.get(pos) == Some(&b'-');
    let first = pos + usize::from(negative);
    let mut at = first;
    let mut digits = 0u64;
    while let Some(digit) = digit(text, at) {
        if at - first == 18 {
            return None;
        }
        digits = digits * 10 + u64::from(digit);
        at += 1;
    }
    let count = at - first;
    let odd = count == 0 || (count > 1 && text[first] == b'0');
    if odd || matches!(text.get(at), Some(b'.' | b'e' | b'E')) { None } else { Some((digits, negative, at)) }
}

/// Reads the number that starts at `pos` (RFC 8259 section 6).
#[inline(always)]
pub(crate) fn scan(text: &[u8], pos: usize) -> Result<Scanned, Reason> {
    let mut at = pos;
    let negative = text.get(at) == Some(&b'-');
    at += usize::from(negative);
    let first = at;
    let mut digits = 0u64;
    at = run(text, at, &mut digits);
    let count = at - first;
    if count == 0 || (count > 1 && text[first] == b'0') {
        return Err(Reason::Syntax("a number"));
    }
    if let Some(b'.' | b'e' | b'E') = text.get(at) {
        return scan_rest(text, negative, first, at, digits);
    }
    Ok(Scanned { end: at, negative, digits, exponent: 0, exact: count <= EXACT, plain: true })
}

/// Reads fraction and exponent.
#[inline(always)]
fn scan_rest(text: &[u8], negative: bool, first: usize, mut at: usize, mut digits: u64) -> Result<Scanned, Reason> {
    let mut count = at - first;
    let mut exponent = 0i32;
    if text[at] == b'.' {
        at += 1;
        let fraction = at;
        at = run(text, at, &mut digits);
        if at == fraction {
            return Err(Reason::Syntax("a digit"));
        }
        count += at - fraction;
        exponent = -i32::try_from(at - fraction).map_err(|_| Reason::TooLarge)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        let minus = text.get(at) == Some(&b'-');
        at += usize::from(matches!(text.get(at), Some(b'-' | b'+')));
        let start = at;
        let mut written = 0i32;
        while let Some(digit) = digit(text, at) {
            written = written.saturating_mul(10).saturating_add(i32::from(digit));
            at += 1;
        }
        if at == start {
            return Err(Reason::Syntax("a digit"));
        }
        exponent = exponent.saturating_add(if minus { -written } else { written });
    }
    Ok(Scanned { end: at, negative, digits, exponent, exact: count <= EXACT, plain: false })
}

/// Reads the digits from `start` on: gives their end, and appends them to a number that is meant only if at most [`EXACT`]
/// are read in all.
#[inline(always)]
fn run(text: &[u8], start: usize, number: &mut u64) -> usize {
    let mut at = start;
    while let Some(digit) = digit(text, at) {
        if at - start == EXACT {
            return long_run(text, at);
        }
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// The end of digits that are too many to count. Whole blocks are compared at once: a stranger sends millions.
#[cold]
fn long_run(text: &[u8], start: usize) -> usize {
    const BLOCK: usize = 64;
    let rest = &text[start..];
    let is_all = |block: &&[u8]| block.iter().fold(true, |all, byte| all & byte.is_ascii_digit());
    let blocks = rest.chunks_exact(BLOCK).take_while(is_all).count() * BLOCK;
    start + blocks + rest[blocks..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[inline(always)]
fn digit(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
}

/// The value as an integer with its sign apart.
#[inline]
fn magnitude(text: &[u8], start: usize, number: &Scanned) -> Result<u64, Reason> {
    match (number.plain, number.exact) {
        (true, true) => Ok(number.digits),
        // The first digit is no zero, and 21 digits are more than any type holds.
        (true, false) if number.end - start > EXACT + 2 => Err(Reason::OutOfRange),
        _ => slow_magnitude(&text[start..number.end]),
    }
}

/// The value of a number with fraction, exponent or more than 19 digits, when it is an integer.
fn slow_magnitude(number: &[u8]) -> Result<u64, Reason> {
    let split = memchr::memchr2(b'e', b'E', number).unwrap_or(number.len());
    let (mantissa, exponent) = number.split_at(split);
    let mantissa = mantissa.strip_prefix(b"-").unwrap_or(mantissa);
    let point = memchr::memchr(b'.', mantissa);
    let places = point.map_or(0, |point| mantissa.len() - point - 1) as i64;
    let digits = || mantissa.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0');
    let total = mantissa.len() - usize::from(point.is_some());
    let leading = digits().take_while(|d| *d == 0).count();
    if leading == total {
        return Ok(0);
    }
    let trailing = mantissa.iter().rev().filter(|b| b.is_ascii_digit()).take_while(|b| **b == b'0').count();
    let zeros = parse_exponent(exponent).saturating_sub(places).saturating_add(trailing as i64);
    if zeros < 0 {
        return Err(Reason::NotInteger);
    }
    let significant = total - leading - trailing;
    if significant as i64 + zeros > 20 {
        return Err(Reason::OutOfRange);
    }
    let value = digits().skip(leading).take(significant).fold(0u128, |value, d| value * 10 + u128::from(d));
    u64::try_from(value * 10u128.pow(zeros as u32)).map_err(|_| Reason::OutOfRange)
}

/// The exponent `e-12`, saturated far beyond any type's range.
fn parse_exponent(exponent: &[u8]) -> i64 {
    let negative = exponent.get(1) == Some(&b'-');
    let value = exponent
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0i64, |value, b| value.saturating_mul(10).saturating_add(i64::from(b - b'0')).min(1 << 40));
    if negative { -value } else { value }
}

/// The integer of a signed type with these bounds.
#[inline]
pub(crate) fn signed(text: &[u8], start: usize, number: &Scanned, min: i64, max: i64) -> Result<i64, Reason> {
    let magnitude = magnitude(text, start, number)?;
    let value = if number.negative {
        if magnitude > 1 << 63 {
            return Err(Reason::OutOfRange);
        }
        (magnitude as i64).wrapping_neg()
    } else {
        i64::try_from(magnitude).map_err(|_| Reason::OutOfRange)?
    };
    if value < min || value > max { Err(Reason::OutOfRange) } else { Ok(value) }
}

/// The integer of an unsigned type with this bound.
#[inline]
pub(crate) fn unsigned(text: &[u8], start: usize, number: &Scanned, max: u64) -> Result<u64, Reason> {
    let value = magnitude(text, start, number)?;
    if value > max || (number.negative && value != 0) { Err(Reason::OutOfRange) } else { Ok(value) }
}

/// The `double`.
#[inline]
pub(crate) fn double(text: &[u8], start: usize, number: &Scanned) -> Result<f64, Reason> {
    // Both operands are exact, so one rounding is the right one (Clinger 1990).
    if number.exact && number.digits < 1 << 53 && number.exponent.unsigned_abs() <= 22 {
        let power = TENS[number.exponent.unsigned_abs() as usize];
        let digits = number.digits as f64;
        let value = if number.exponent < 0 { digits / power } else { digits * power };
        return Ok(if number.negative { -value } else { value });
    }
    let value: f64 = ascii(text, start, number)?.parse().map_err(|_| Reason::Syntax("a number"))?;
    if value.is_infinite() { Err(Reason::OutOfRange) } else { Ok(value) }
}

/// The `float`.
#[inline]
pub(crate) fn float(text: &[u8], start: usize, number: &Scanned) -> Result<f32, Reason> {
    if number.exact && number.digits < 1 << 24 && number.exponent.unsigned_abs() <= 10 {
        let power = TENS[number.exponent.unsigned_abs() as usize] as f32;
        let digits = number.digits as f32;
        let value = if number.exponent < 0 { digits / power } else { digits * power };
        return Ok(if number.negative { -value } else { value });
    }
    let value: f32 = ascii(text, start, number)?.parse().map_err(|_| Reason::Syntax("a number"))?;
    if value.is_infinite() { Err(Reason::OutOfRange) } else { Ok(value) }
}

fn ascii<'a>(text: &'a [u8], start: usize, number: &Scanned) -> Result<&'a str, Reason> {
    std::str::from_utf8(&text[start..number.end]).map_err(|_| Reason::InvalidUtf8)
}

/// A text that is one number and nothing else.
#[inline(never)]
pub(crate) fn scan_all(text: &[u8]) -> Result<Scanned, Reason> {
    match scan(text, 0) {
        Ok(number) if number.end == text.len() => Ok(number),
        _ => Err(Reason::Expected("a number")),
    }
}

/// The eight decimal digits of a number below 10^8 as ASCII, the first in the lowest byte.
///
/// Division by reciprocal in parallel lanes: 4+4 digits, then 2+2, then 1+1.
#[inline(always)]
pub(crate) fn eight_digits(value: u32) -> u64 {
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    ones | 0x3030_3030_3030_3030
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn int64(text: &str) -> Result<i64, Reason> {
        signed(text.as_bytes(), 0, &scan_all(text.as_bytes())?, i64::MIN, i64::MAX)
    }

    #[test]
    fn integers_are_taken_in_every_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("1e3", 1000),
            ("2.50e1", 25),
            ("100000.000", 100_000),
            ("0.0000e999999999999", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-9.223372036854775808e18", i64::MIN),
            ("92233720368547758070e-1", i64::MAX),
        ] {
            assert_eq!(int64(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for (text, reason) in [
            ("0.5", Reason::NotInteger),
            ("1e-1", Reason::NotInteger),
            ("1e99999999999999999999", Reason::OutOfRange),
            ("9223372036854775808", Reason::OutOfRange),
            ("-9223372036854775809", Reason::OutOfRange),
            ("01", Reason::Expected("a number")),
            ("+1", Reason::Expected("a number")),
            ("1.", Reason::Expected("a number")),
            (".5", Reason::Expected("a number")),
            ("0x10", Reason::Expected("a number")),
            ("1e", Reason::Expected("a number")),
            ("-", Reason::Expected("a number")),
            ("", Reason::Expected("a number")),
            (" 1", Reason::Expected("a number")),
            ("1 ", Reason::Expected("a number")),
        ] {
            assert_eq!(int64(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_number_ends_behind_its_last_digit_however_long_it_is() {
        for length in (1..25).chain([63, 64, 82, 83, 84, 85, 147, 148, 1000]) {
            for (behind, fraction) in [("", ""), (",", ""), ("", ".5"), ("]", ".25"), ("}", "e7")] {
                let number = "7".repeat(length) + fraction;
                assert_eq!(
                    scan((number.clone() + behind).as_bytes(), 0).unwrap().end,
                    number.len(),
                    "{length} digits, {fraction}"
                );
            }
            let number = "0.".to_owned() + &"3".repeat(length);
            assert_eq!(scan((number.clone() + ",").as_bytes(), 0).unwrap().end, number.len(), "{length} digits");
            assert_eq!(int64(&"9".repeat(length)).is_ok(), length < 19, "{length} digits");
        }
    }

    #[test]
    fn floats_are_rounded_before_the_range_test() {
        let read = |text: &str| float(text.as_bytes(), 0, &scan_all(text.as_bytes()).unwrap());
        assert_eq!(read("3.4028235e+38"), Ok(f32::MAX));
        assert_eq!(read("3.4028235677973364e+38"), Ok(f32::MAX), "the largest text that rounds down");
        assert_eq!(read("3.402823669e+38"), Err(Reason::OutOfRange));
        assert_eq!(read("1e-9999999999"), Ok(0.0));
    }

    #[test]
    fn doubles_agree_with_the_standard_library() {
        for text in ["0.1", "-0.0", "1e22", "1e23", "123456789012345678", "4.9e-324", "1.7976931348623157e308", "7e-5"] {
            let ours = double(text.as_bytes(), 0, &scan_all(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(ours.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
    }

    #[test]
    fn eight_digits_are_those_of_the_number() {
        for value in [0, 1, 9, 10, 99, 100, 9_999, 10_000, 12_345_678, 99_999_999, 90_000_001] {
            assert_eq!(eight_digits(value).to_le_bytes().as_slice(), format!("{value:08}").as_bytes());
        }
        for value in (0..100_000_000).step_by(7919) {
            assert_eq!(eight_digits(value).to_le_bytes().as_slice(), format!("{value:08}").as_bytes());
        }
    }
}
