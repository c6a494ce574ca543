//! What the configuration says of accounts: its section `[auth]`, within bounds.

use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use chrono::TimeDelta;

/// A signed token cannot be taken back by those who only check its signature, so it is short-lived.
const ACCESS_TOKEN_TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const SESSION_TTL: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 366);

/// How long tokens and sessions last, and how much of the machine passwords may take.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long an access token is valid.
    pub(crate) access_token_ttl: TimeDelta,
    /// How long a session lives from its login, however often it is refreshed.
    pub(crate) session_ttl: TimeDelta,
    /// Password hashes that are computed at once.
    pub(crate) max_parallel_hashes: NonZeroUsize,
}

/// A setting that is out of bounds.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value:?} and must be between {:?} and {:?}", bounds.start(), bounds.end())]
pub(crate) struct SettingError {
    setting: &'static str,
    value: Duration,
    bounds: RangeInclusive<Duration>,
}

impl Settings {
    pub(crate) fn new(
        access_token_ttl: Duration,
        refresh_token_ttl: Duration,
        max_parallel_hashes: NonZeroUsize,
    ) -> Result<Self, SettingError> {
        Ok(Self {
            access_token_ttl: within("auth.access_token_ttl", access_token_ttl, ACCESS_TOKEN_TTL)?,
            session_ttl: within("auth.refresh_token_ttl", refresh_token_ttl, SESSION_TTL)?,
            max_parallel_hashes,
        })
    }
}

fn within(setting: &'static str, value: Duration, bounds: RangeInclusive<Duration>) -> Result<TimeDelta, SettingError> {
    match TimeDelta::from_std(value) {
        Ok(span) if bounds.contains(&value) => Ok(span),
        _ => Err(SettingError { setting, value, bounds }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(access: Duration, refresh: Duration) -> Result<Settings, SettingError> {
        Settings::new(access, refresh, NonZeroUsize::MIN)
    }

    #[test]
    fn a_span_out_of_bounds_is_refused_by_the_name_of_its_setting() {
        let (minute, year) = (Duration::from_mins(1), Duration::from_hours(24 * 366));
        assert!(settings(minute, year).is_ok());
        for (access, refresh, name) in [
            (Duration::from_millis(1), year, "auth.access_token_ttl"),
            (year, year, "auth.access_token_ttl"),
            (minute, Duration::from_secs(1), "auth.refresh_token_ttl"),
            (minute, Duration::MAX, "auth.refresh_token_ttl"),
        ] {
            assert!(settings(access, refresh).is_err_and(|error| error.to_string().starts_with(name)));
        }
    }
}
