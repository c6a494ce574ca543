//! `google.protobuf.Timestamp`: RFC 3339 between the years 1 and 9999, printed in UTC.

use super::{push_nanos, read_nanos};

/// 0001-01-01T00:00:00Z.
const MIN_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const MAX_SECONDS: i64 = 253_402_300_799;

/// Reads `2026-11-21T09:30:00.5+01:00`. `T` and `Z` are upper case, as protobuf demands; there are no leap seconds.
pub(crate) fn parse(text: &[u8]) -> Option<(i64, i32)> {
    let (date, rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| date[*at] != *separator) {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..10])?);
    let (hour, minute, second) = (digits(&date[11..13])?, digits(&date[14..16])?, digits(&date[17..])?);
    if month == 0 || month > 12 || day == 0 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = read_nanos(rest)?;
    let local = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = local - offset(zone)?;
    (MIN_SECONDS..=MAX_SECONDS).contains(&seconds).then_some((seconds, nanos as i32))
}

/// Writes `2026-11-21T08:30:00.500Z`.
pub(crate) fn print(seconds: i64, nanos: i32, text: &mut Vec<u8>) -> Option<()> {
    if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) || !(0..=999_999_999).contains(&nanos) {
        return None;
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    push_digits(text, year, 4);
    for (separator, value) in [(b'-', month), (b'-', day), (b'T', second / 3_600), (b':', second / 60 % 60), (b':', second % 60)]
    {
        text.push(separator);
        push_digits(text, value, 2);
    }
    push_nanos(text, nanos.unsigned_abs());
    text.push(b'Z');
    Some(())
}

/// The seconds that local time is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = zone.split_first()?;
    let sign = match sign {
        b'Z' => return rest.is_empty().then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if rest.len() != 5 || rest[2] != b':' {
        return None;
    }
    let (hours, minutes) = (digits(&rest[..2])?, digits(&rest[3..])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
}

fn push_digits(text: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        text.push(b'0' + (value / 10i64.pow(place) % 10) as u8);
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar: years start in March, so the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_day_survives_the_way_there_and_back() {
        for days in MIN_SECONDS / 86_400..=MAX_SECONDS / 86_400 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!(day >= 1 && day <= days_in(year, month));
        }
    }

    #[test]
    fn offsets_are_taken_off() {
        let utc = parse(b"2026-11-21T08:30:00Z").unwrap();
        assert_eq!(parse(b"2026-11-21T09:30:00+01:00"), Some(utc));
        assert_eq!(parse(b"2026-11-21T00:30:00-08:00"), Some(utc));
        assert_eq!(utc, (1_795_249_800, 0));
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01t00:00:00Z",
            "2026-01-01T00:00:00z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+0100",
            "0000-12-31T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
