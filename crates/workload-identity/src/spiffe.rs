//! Names that no one can forge without the trust domain's authority: [`TrustDomain`] and [`SpiffeId`].
//!
//! Rule: sections 2.1 to 2.4 of the [SPIFFE-ID specification]. What it forbids (ports, user info, queries, percent
//! encoding, upper case in the trust domain, dot segments, empty segments) is refused, never normalised: two spellings
//! of one id would be two chances to compare wrongly.
//!
//! [SPIFFE-ID specification]: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md

use std::fmt;
use std::str::FromStr;

const SCHEME: &str = "spiffe://";
/// Section 2.4: "a SPIFFE ID's maximum length is 2048 bytes".
const MAX_ID_BYTES: usize = 2048;
/// Section 2.4: a trust domain name is at most 255 bytes.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The name of one root of trust, such as `weft.local`: the host part of every SPIFFE id it issues.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustDomain(String);

/// The identity of one workload, such as `spiffe://weft.local/domain/orders`.
///
/// An id without a path names the trust domain itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    text: String,
    trust_domain: TrustDomain,
}

/// Why a text is no SPIFFE id or no trust domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// The text does not begin with `spiffe://`.
    #[error("a SPIFFE id begins with spiffe://")]
    Scheme,
    /// The id is longer than 2048 bytes.
    #[error("a SPIFFE id has at most {MAX_ID_BYTES} bytes")]
    TooLong,
    /// The trust domain is empty.
    #[error("the trust domain is empty")]
    TrustDomainEmpty,
    /// The trust domain is longer than 255 bytes.
    #[error("the trust domain has more than {MAX_TRUST_DOMAIN_BYTES} bytes")]
    TrustDomainTooLong,
    /// The trust domain holds something else than lower-case letters, digits, dots, dashes and underscores.
    #[error("the trust domain may hold lower-case letters, digits, '.', '-' and '_', not {0:?}")]
    TrustDomainCharacter(char),
    /// A path segment is empty, or the path ends with a slash.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A path segment is `.` or `..`.
    #[error("the path has a segment '.' or '..'")]
    DotSegment,
    /// A path segment holds something else than letters, digits, dots, dashes and underscores.
    #[error("a path segment may hold letters, digits, '.', '-' and '_', not {0:?}")]
    SegmentCharacter(char),
}

// === impl TrustDomain ===

impl TrustDomain {
    /// The name, without scheme.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the trust domain itself, as its authority's certificate carries it: `spiffe://weft.local`.
    pub fn id(&self) -> SpiffeId {
        SpiffeId { text: format!("{SCHEME}{self}"), trust_domain: self.clone() }
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() {
            return Err(SpiffeIdError::TrustDomainEmpty);
        }
        if name.len() > MAX_TRUST_DOMAIN_BYTES {
            return Err(SpiffeIdError::TrustDomainTooLong);
        }
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(SpiffeIdError::TrustDomainCharacter(character)),
            None => Ok(Self(name.to_owned())),
        }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl SpiffeId ===

impl SpiffeId {
    /// The whole id, with scheme.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose authority vouches for the id.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path with its leading slash; empty for the id of a trust domain.
    pub fn path(&self) -> &str {
        &self.text[SCHEME.len() + self.trust_domain.0.len()..]
    }

    /// The segments of the path, in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').skip(1)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_ID_BYTES {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let trust_domain = authority.parse()?;
        for segment in path.into_iter().flat_map(|path| path.split('/')) {
            check_segment(segment)?;
        }
        Ok(Self { text: text.to_owned(), trust_domain })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_segment(segment: &str) -> Result<(), SpiffeIdError> {
    if segment.is_empty() {
        return Err(SpiffeIdError::EmptySegment);
    }
    if segment == "." || segment == ".." {
        return Err(SpiffeIdError::DotSegment);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match segment.chars().find(|c| !allowed(*c)) {
        Some(character) => Err(SpiffeIdError::SegmentCharacter(character)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_id_is_taken_apart() {
        let id: SpiffeId = "spiffe://weft.local/domain/orders".parse().unwrap();
        assert_eq!(id.trust_domain().as_str(), "weft.local");
        assert_eq!(id.path(), "/domain/orders");
        assert_eq!(id.segments().collect::<Vec<_>>(), ["domain", "orders"]);
        assert_eq!(id.to_string(), "spiffe://weft.local/domain/orders");
    }

    #[test]
    fn the_id_of_a_trust_domain_has_no_segments() {
        let domain: TrustDomain = "weft.local".parse().unwrap();
        let id: SpiffeId = "spiffe://weft.local".parse().unwrap();
        assert_eq!(id, domain.id());
        assert_eq!(id.segments().count(), 0);
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        use SpiffeIdError::*;
        let cases = [
            ("", Scheme),
            ("http://weft.local/a", Scheme),
            ("SPIFFE://weft.local/a", Scheme),
            ("spiffe:/weft.local/a", Scheme),
            ("spiffe://", TrustDomainEmpty),
            ("spiffe:///a", TrustDomainEmpty),
            ("spiffe://Weft.local/a", TrustDomainCharacter('W')),
            ("spiffe://weft.local:443/a", TrustDomainCharacter(':')),
            ("spiffe://me@weft.local/a", TrustDomainCharacter('@')),
            ("spiffe://weft%2elocal/a", TrustDomainCharacter('%')),
            ("spiffe://weft.local?a", TrustDomainCharacter('?')),
            ("spiffe://weft.local/", EmptySegment),
            ("spiffe://weft.local/a/", EmptySegment),
            ("spiffe://weft.local//a", EmptySegment),
            ("spiffe://weft.local/./a", DotSegment),
            ("spiffe://weft.local/a/../b", DotSegment),
            ("spiffe://weft.local/a%2fb", SegmentCharacter('%')),
            ("spiffe://weft.local/a?b=c", SegmentCharacter('?')),
            ("spiffe://weft.local/a#b", SegmentCharacter('#')),
            ("spiffe://weft.local/é", SegmentCharacter('é')),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text}");
        }
    }

    #[test]
    fn lengths_are_bounded_at_the_specified_byte() {
        let longest = format!("spiffe://a/{}", "b".repeat(MAX_ID_BYTES - 11));
        assert_eq!(longest.len(), MAX_ID_BYTES);
        longest.parse::<SpiffeId>().unwrap();
        let one_more = format!("{longest}b");
        assert_eq!(one_more.parse::<SpiffeId>(), Err(SpiffeIdError::TooLong));
        "a".repeat(255).parse::<TrustDomain>().unwrap();
        assert_eq!("a".repeat(256).parse::<TrustDomain>(), Err(SpiffeIdError::TrustDomainTooLong));
    }
}
