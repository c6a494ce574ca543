//! JSON's tokens (RFC 8259): space, strings, values to skip.

use super::Reader;
use crate::error::{Reason, Result};
use crate::number;

/// Where a string's content lies in the text, and whether it holds escapes.
#[derive(Clone, Copy)]
pub(super) struct Quoted {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The same byte eight times.
const QUOTES: u64 = ONES * 0x22;
const BACKSLASHES: u64 = ONES * 0x5c;
const SPACES: u64 = ONES * 0x20;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks, in the top bit of its byte, the first quote, backslash or control character of a word, if there is one.
/// Marks above the first may be false.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn special(word: u64) -> u64 {
    let quote = (word ^ QUOTES).wrapping_sub(ONES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
    let control = word.wrapping_sub(SPACES);
    (quote | backslash | control) & !word & HIGH
}

impl<'a> Reader<'a> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn peek(&self) -> Option<u8> {
        self.json.get(self.pos).copied()
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn space(&mut self) {
        if let Some(&byte) = self.json.get(self.pos)
            && byte > b' '
        {
            return;
        }
        self.long_space();
    }

    #[inline(never)]
    fn long_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// What is wrong at this place.
    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> Reason {
        if self.pos >= self.json.len() { Reason::UnexpectedEnd } else { Reason::Syntax(expected) }
    }

    /// What is wrong with the type of the value at this place.
    #[cold]
    pub(super) fn mismatch(&self, expected: &'static str) -> Reason {
        match self.peek() {
            None => Reason::UnexpectedEnd,
            Some(b'n') if self.json[self.pos..].starts_with(b"null") => Reason::UnexpectedNull,
            Some(b'"' | b'{' | b'[' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => Reason::Expected(expected),
            Some(_) => Reason::Syntax("a value"),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        if self.peek() == Some(byte) {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.unexpected(what).into())
        }
    }

    /// Consumes `word` if it stands here.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn eat(&mut self, word: &[u8]) -> bool {
        let found = self.json[self.pos..].starts_with(word);
        self.pos += if found { word.len() } else { 0 };
        found
    }

    /// After a member or an element: whether another follows. `close` ends the list.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn more(&mut self, close: u8, expected: &'static str) -> Result<bool> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.pos += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.pos += 1;
                Ok(false)
            }
            _ => Err(self.unexpected(expected).into()),
        }
    }

    /// Behind an opening bracket: whether the list is empty; then it is consumed.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn empty(&mut self, close: u8) -> bool {
        self.space();
        let empty = self.peek() == Some(close);
        self.pos += usize::from(empty);
        empty
    }

    /// Reads a string and checks its escapes' shape, but not what they mean.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn string(&mut self) -> Result<Quoted> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch("a string").into());
        }
        let start = self.pos + 1;
        let mut at = start;
        while let Some(word) = self.json.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let found = special(u64::from_le_bytes(*word));
            if found != 0 {
                at += found.trailing_zeros() as usize / 8;
                if self.json[at] == b'"' {
                    self.pos = at + 1;
                    return Ok(Quoted { start, end: at, escaped: false });
                }
                return self.string_rest(start, at);
            }
            at += 8;
        }
        self.string_rest(start, at)
    }

    /// The rest of a string with escapes, or of one near the end of the text.
    #[inline(never)]
    fn string_rest(&mut self, start: usize, mut at: usize) -> Result<Quoted> {
        let mut escaped = false;
        loop {
            if let Some(word) = self.json.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                let found = special(u64::from_le_bytes(*word));
                if found == 0 {
                    at += 8;
                    continue;
                }
                at += found.trailing_zeros() as usize / 8;
            }
            self.pos = at;
            match self.json.get(at) {
                Some(b'"') => {
                    self.pos = at + 1;
                    return Ok(Quoted { start, end: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(0..0x20) => return Err(Reason::ControlCharacter.into()),
                Some(_) => at += 1,
                None => return Err(Reason::UnexpectedEnd.into()),
            }
        }
    }

    /// Calls `read` with the content of a string.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn content<R>(&mut self, quoted: Quoted, read: impl FnOnce(&Self, &[u8]) -> Result<R, Reason>) -> Result<R> {
        if !quoted.escaped {
            return Ok(read(self, &self.json[quoted.start..quoted.end])?);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let raw = &self.json[quoted.start..quoted.end];
        let result = unescape(raw, |piece| {
            scratch.extend_from_slice(piece);
            Ok(())
        });
        let result = result.and_then(|()| read(self, &scratch));
        self.scratch = scratch;
        Ok(result?)
    }

    /// Skips a value that is valid JSON.
    pub(super) fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.skip_list(b'}'),
            Some(b'[') => self.skip_list(b']'),
            Some(b'"') => {
                let quoted = self.string()?;
                if quoted.escaped {
                    unescape(&self.json[quoted.start..quoted.end], |_| Ok(()))?;
                }
                Ok(())
            }
            Some(b't') if self.eat(b"true") => Ok(()),
            Some(b'f') if self.eat(b"false") => Ok(()),
            Some(b'n') if self.eat(b"null") => Ok(()),
            Some(b'-' | b'0'..=b'9') => {
                self.pos = number::scan(self.json, self.pos)?.end;
                Ok(())
            }
            _ => Err(self.unexpected("a value").into()),
        }
    }

    fn skip_list(&mut self, close: u8) -> Result<()> {
        self.enter()?;
        self.pos += 1;
        if !self.empty(close) {
            loop {
                if close == b'}' {
                    if self.peek() != Some(b'"') {
                        return Err(self.unexpected("a field name").into());
                    }
                    self.skip()?;
                    self.colon()?;
                }
                self.skip()?;
                if !self.more(close, "a comma or the end")? {
                    break;
                }
            }
        }
        self.leave();
        Ok(())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn colon(&mut self) -> Result<()> {
        self.space();
        self.expect(b':', "a colon")?;
        self.space();
        Ok(())
    }

    /// Writes the content of a string to the wire, without length.
    pub(super) fn write_unescaped(&mut self, quoted: Quoted) -> Result<()> {
        let json: &'a [u8] = self.json;
        self.out.room(quoted.end - quoted.start)?;
        Ok(unescape(&json[quoted.start..quoted.end], |piece| self.out.bytes(piece))?)
    }
}

/// Calls `push` with the pieces of the unescaped text.
fn unescape(raw: &[u8], mut push: impl FnMut(&[u8]) -> Result<(), Reason>) -> Result<(), Reason> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        push(&rest[..at])?;
        rest = &rest[at..];
        // Where one escape stands behind another they are one piece.
        let (mut piece, mut length) = ([0; 64], 0);
        while let Some(escape) = rest.strip_prefix(b"\\")
            && length + 4 <= piece.len()
        {
            rest = escape;
            length += escaped_character(&mut rest)?.encode_utf8(&mut piece[length..]).len();
        }
        push(&piece[..length])?;
    }
    push(rest)
}

/// The character of an escape; `rest` begins behind the backslash.
fn escaped_character(rest: &mut &[u8]) -> Result<char, Reason> {
    let (escape, behind) = rest.split_first().ok_or(Reason::InvalidEscape)?;
    *rest = behind;
    match escape {
        b'"' | b'\\' | b'/' => Ok(char::from(*escape)),
        b'b' => Ok('\u{8}'),
        b'f' => Ok('\u{c}'),
        b'n' => Ok('\n'),
        b'r' => Ok('\r'),
        b't' => Ok('\t'),
        b'u' => unicode_escape(rest),
        _ => Err(Reason::InvalidEscape),
    }
}

/// The character of `\uXXXX`, or of a pair of them; `rest` begins behind the `u`.
fn unicode_escape(rest: &mut &[u8]) -> Result<char, Reason> {
    let first = hex(rest)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first).ok_or(Reason::InvalidEscape);
    }
    if first >= 0xdc00 {
        return Err(Reason::UnpairedSurrogate);
    }
    *rest = rest.strip_prefix(b"\\u").ok_or(Reason::UnpairedSurrogate)?;
    let second = hex(rest)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(Reason::UnpairedSurrogate);
    }
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(Reason::InvalidEscape)
}

fn hex(rest: &mut &[u8]) -> Result<u32, Reason> {
    let (digits, behind) = rest.split_first_chunk::<4>().ok_or(Reason::InvalidEscape)?;
    let mut value = 0;
    for digit in digits {
        value = value << 4 | char::from(*digit).to_digit(16).ok_or(Reason::InvalidEscape)?;
    }
    *rest = behind;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn unescaped(raw: &str) -> Result<Vec<u8>, Reason> {
        let mut plain = Vec::new();
        unescape(raw.as_bytes(), |piece| {
            plain.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(plain)
    }

    #[test]
    fn escapes_are_read_alone_and_in_rows() {
        let escapes = [
            ("\\n", "\n"),
            ("\\\\", "\\"),
            ("\\u0061", "a"),
            ("\\u20ac", "€"),
            ("\\ud83d\\ude00", "😀"),
            ("\\b\\f", "\u{8}\u{c}"),
        ];
        for (escape, character) in escapes {
            for count in [1, 2, 15, 16, 17, 61, 64, 65, 200] {
                for (before, behind) in [("", ""), ("before", ""), ("", "behind"), ("before", "behind")] {
                    let raw = format!("{before}{}{behind}", escape.repeat(count));
                    let plain = format!("{before}{}{behind}", character.repeat(count));
                    assert_eq!(unescaped(&raw).unwrap(), plain.as_bytes(), "{raw}");
                }
            }
        }
        for count in [0, 1, 16, 64, 100] {
            for (wrong, reason) in
                [("\\x", Reason::InvalidEscape), ("\\", Reason::InvalidEscape), ("\\ud83dx", Reason::UnpairedSurrogate)]
            {
                assert_eq!(unescaped(&("\\n".repeat(count) + wrong)), Err(reason), "{count} before {wrong}");
            }
        }
    }
}
