//! Units as types: durations, sizes, addresses.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

/// Ten years: far beyond any sensible setting, and far below what overflows a clock.
const LONGEST: Duration = Duration::from_hours(3650 * 24);

pub(crate) const DRAIN: &str = "a duration such as \"0s\", \"30s\" or \"5m\" (at most 3650d)";

/// A text that is not what its unit asks for. It does not hold the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// Not a size.
    #[error("not a size such as \"64KiB\" or \"4MiB\"")]
    ByteSize,
    /// Not an address with a port.
    #[error("not an address (host:port)")]
    HostPort,
    /// Not an HTTP address, or one that holds a password or parameters.
    #[error("not an http:// or https:// address without a password")]
    HttpUrl,
    /// Not a pair of a caller and what it calls.
    #[error("not a pair such as \"reports>catalog\" or \"sweeper>notes/Sweep\"")]
    CallerRule,
}

/// A number of bytes: `512B`, `64KiB`, `4MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(usize);

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(UnitError::ByteSize),
        };
        let number: usize = number.parse().map_err(|_| UnitError::ByteSize)?;
        number.checked_mul(factor).map(Self).ok_or(UnitError::ByteSize)
    }
}

/// A host name or IP address with a port: `orders.internal:7001`, `[::1]:7001`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    host: Host,
    port: u16,
}

impl HostPort {
    /// The host, checked.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(UnitError::HostPort)?;
        let host = Host::parse(host).map_err(|_| UnitError::HostPort)?;
        match port.parse() {
            Ok(0) | Err(_) => Err(UnitError::HostPort),
            Ok(port) => Ok(Self { host, port }),
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

// === Reading ===

/// A duration, zero included.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) | Err(_) => Err(de::Error::custom("not a duration")),
    }
}

/// A duration of a millisecond at least.
pub(crate) fn positive_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = duration(deserializer)?;
    if duration < Duration::from_millis(1) {
        return Err(de::Error::custom("too short"));
    }
    Ok(duration)
}

/// A size within bounds; a bare integer counts bytes.
pub(crate) fn byte_size<'de, D: Deserializer<'de>>(deserializer: D, bounds: RangeInclusive<usize>) -> Result<ByteSize, D::Error> {
    let size = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text.parse().map_err(de::Error::custom)?,
        toml::Value::Integer(bytes) => ByteSize(usize::try_from(bytes).map_err(de::Error::custom)?),
        _ => return Err(de::Error::custom(UnitError::ByteSize)),
    };
    if bounds.contains(&size.bytes()) { Ok(size) } else { Err(de::Error::custom("out of range")) }
}

/// An address that may hold a password, kept as written.
pub(crate) fn secret_url<'de, D: Deserializer<'de>>(
    deserializer: D,
    accept: impl Fn(&Url) -> bool,
) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Url::parse(&text) {
        Ok(url) if accept(&url) => Ok(SecretString::from(text)),
        Ok(_) | Err(_) => Err(de::Error::custom("not an address of this kind")),
    }
}

/// An HTTP address. One with a password or parameters is refused: these settings are shown in full.
pub(crate) fn parse_http_url(text: &str) -> Result<Url, UnitError> {
    let url = Url::parse(text).map_err(|_| UnitError::HttpUrl)?;
    let open = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && open { Ok(url) } else { Err(UnitError::HttpUrl) }
}
