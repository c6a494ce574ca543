//! On whose account a call is made, as it travels.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::HeaderValue;

/// The principal's signed assertion, carried on from call to call unread.
///
/// It is kept as the text that a header carries (base64 without padding, as gRPC has binary
/// metadata), so that passing it on copies nothing. Within its minute, whoever holds it acts as the
/// principal: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion(HeaderValue);

impl Assertion {
    /// What was signed.
    pub fn new(signed: &[u8]) -> Self {
        // base64 holds nothing that a header may not.
        Self(HeaderValue::try_from(STANDARD_NO_PAD.encode(signed)).unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    /// What a peer sent; nothing is checked before it is verified.
    pub fn from_header(sent: HeaderValue) -> Self {
        Self(sent)
    }

    /// As a header carries it.
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// What was signed; `None` if it is no base64. Padding is taken, as gRPC asks.
    pub fn signed(&self) -> Option<Vec<u8>> {
        let text = self.0.as_bytes();
        let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        STANDARD_NO_PAD.decode(&text[..end]).ok()
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_reads_back_padded_or_not_and_is_not_shown() {
        for signed in [b"".as_slice(), b"s", b"si", b"sig", &[0xff; 700]] {
            let carried = Assertion::new(signed);
            assert_eq!(carried.signed().as_deref(), Some(signed));
            let mut padded = carried.header().as_bytes().to_vec();
            padded.resize(padded.len().next_multiple_of(4), b'=');
            let padded = HeaderValue::from_bytes(&padded).map(Assertion::from_header);
            assert_eq!(padded.ok().and_then(|padded| padded.signed()).as_deref(), Some(signed));
            assert_eq!(format!("{carried:?}"), "Assertion([redacted])");
        }
    }

    #[test]
    fn what_is_no_base64_says_nothing() {
        assert_eq!(Assertion::from_header(HeaderValue::from_static("a*b")).signed(), None);
    }
}
