//! Percent-encoding (RFC 3986 section 2.1).

use std::borrow::Cow;

/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidEncoding;

/// How much is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decode {
    /// Everything: a capture of one segment.
    All,
    /// Everything but `%2F`: a capture of several segments, where a slash means something.
    AllButSlash,
    /// Everything, and `+` is a space: a form, which a query is.
    Form,
}

/// What nothing is encoded in is given as it is.
pub(crate) fn decode(text: &str, how: Decode) -> Result<Cow<'_, str>, InvalidEncoding> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| *byte == b'%' || *byte == b'+' && how == Decode::Form) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3).ok_or(InvalidEncoding)?;
                let byte = hex(digits[0])? << 4 | hex(digits[1])?;
                if byte == b'/' && how == Decode::AllButSlash {
                    decoded.extend_from_slice(&bytes[at..at + 3]);
                } else {
                    decoded.push(byte);
                }
                at += 3;
                continue;
            }
            b'+' if how == Decode::Form => decoded.push(b' '),
            byte => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| InvalidEncoding)
}

fn hex(digit: u8) -> Result<u8, InvalidEncoding> {
    char::from(digit).to_digit(16).map(|value| value as u8).ok_or(InvalidEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_stay_escaped_where_they_mean_something() {
        let text = "p%20q%2Fr%2fs+%C3%A4%25";
        assert_eq!(decode(text, Decode::All).as_deref(), Ok("p q/r/s+ä%"));
        assert_eq!(decode(text, Decode::AllButSlash).as_deref(), Ok("p q%2Fr%2fs+ä%"));
        assert_eq!(decode(text, Decode::Form).as_deref(), Ok("p q/r/s ä%"));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%2", "%zz", "%+1", "%ff", "a%C3"] {
            assert_eq!(decode(text, Decode::All), Err(InvalidEncoding), "{text}");
        }
    }
}
