//! What the configuration says of accounts: its section `[auth]`, within bounds.

use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use crate::first_administrator::FirstAdministrator;

/// A signed token cannot be taken back by those who only check its signature, so it is short-lived.
const ACCESS_TOKEN_TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const SESSION_TTL: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 366);
/// As in the contract, of accounts that are opened by a call.
const EMAIL_BYTES: usize = 254;
const PASSWORD_BYTES: RangeInclusive<usize> = 8..=1024;

/// How long tokens and sessions last, and how much of the machine passwords may take.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long an access token is valid.
    pub(crate) access_token_ttl: TimeDelta,
    /// How long a session lives from its login, however often it is refreshed.
    pub(crate) session_ttl: TimeDelta,
    /// Password hashes that are computed at once.
    pub(crate) max_parallel_hashes: NonZeroUsize,
    /// Who has an account from the beginning.
    pub(crate) first_administrator: Option<FirstAdministrator>,
}

/// A setting that is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("{setting} is {value:?} and must be between {:?} and {:?}", bounds.start(), bounds.end())]
    OutOfBounds { setting: &'static str, value: Duration, bounds: RangeInclusive<Duration> },
    #[error("auth.first_administrator_email is {0:?} and must be an email address of at most {EMAIL_BYTES} bytes")]
    NoEmail(String),
    #[error(
        "auth.first_administrator_password must have {} to {} bytes", PASSWORD_BYTES.start(), PASSWORD_BYTES.end()
    )]
    PasswordLength,
    #[error("auth.first_administrator_email and auth.first_administrator_password: set both or neither")]
    HalfAdministrator,
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
            first_administrator: None,
        })
    }

    /// The same with an account that is there from the beginning, where both are given.
    pub(crate) fn with_first_administrator(
        self,
        email: Option<String>,
        password: Option<SecretString>,
    ) -> Result<Self, SettingError> {
        let first_administrator = match (email, password) {
            (None, None) => None,
            (Some(email), _) if !is_address(&email) => return Err(SettingError::NoEmail(email)),
            (_, Some(password)) if !PASSWORD_BYTES.contains(&password.expose_secret().len()) => {
                return Err(SettingError::PasswordLength);
            }
            (Some(email), Some(password)) => Some(FirstAdministrator { email, password }),
            (Some(_), None) | (None, Some(_)) => return Err(SettingError::HalfAdministrator),
        };
        Ok(Self { first_administrator, ..self })
    }
}

fn is_address(email: &str) -> bool {
    let parts = email.trim().split_once('@');
    email.len() <= EMAIL_BYTES && parts.is_some_and(|(mailbox, host)| !mailbox.is_empty() && !host.is_empty())
}

fn within(setting: &'static str, value: Duration, bounds: RangeInclusive<Duration>) -> Result<TimeDelta, SettingError> {
    match TimeDelta::from_std(value) {
        Ok(span) if bounds.contains(&value) => Ok(span),
        _ => Err(SettingError::OutOfBounds { setting, value, bounds }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
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

    #[test]
    fn a_first_administrator_that_cannot_log_in_is_refused_by_the_name_of_the_setting() {
        let told = |email: Option<&str>, password: Option<&str>| {
            let settings = settings(Duration::from_mins(1), Duration::from_hours(1)).unwrap();
            let given = settings.with_first_administrator(email.map(str::to_owned), password.map(SecretString::from));
            given.map(|settings| settings.first_administrator.is_some())
        };
        assert_eq!(told(None, None), Ok(false));
        assert_eq!(told(Some("ann@example.org"), Some("pass word")), Ok(true));
        assert_eq!(told(Some("ann"), Some("pass word")), Err(SettingError::NoEmail("ann".to_owned())));
        assert_eq!(told(Some("ann@"), None), Err(SettingError::NoEmail("ann@".to_owned())));
        assert_eq!(told(Some("ann@example.org"), Some("short")), Err(SettingError::PasswordLength));
        assert_eq!(told(Some("ann@example.org"), None), Err(SettingError::HalfAdministrator));
        assert_eq!(told(None, Some("pass word")), Err(SettingError::HalfAdministrator));
    }
}
