//! JSON values out of a body that comes in pieces.
//!
//! A stream is an array of values, or values one behind the other with or without space between (NDJSON is a case of
//! it). The stream finds where each value ends, which needs no more than strings and brackets; whether it is valid is
//! for whoever translates it. Pieces may be cut anywhere, inside an escape too.

use super::RequestError;
use crate::error::{Error, Reason};

/// Cuts JSON values out of pieces.
#[derive(Debug, Default)]
pub struct JsonStream {
    place: Place,
    /// The value begun; empty between values.
    value: Vec<u8>,
    shape: Shape,
    /// Most bytes of a value.
    limit: usize,
    /// Bytes before the current piece.
    offset: usize,
}

/// Where between values the stream is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing but space so far.
    #[default]
    Start,
    /// Among values one behind the other.
    Sequence,
    /// Behind `[`: a value or `]`.
    ArrayStart,
    /// Behind a comma: a value.
    ArrayValue,
    /// Behind a value of the array: a comma or `]`.
    ArrayComma,
    /// Behind `]`.
    End,
}

/// What ends the value begun.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A number or a name: the first byte that is no part of it.
    #[default]
    Bare,
    /// A string, with as many brackets open around it.
    String { depth: usize },
    /// A backslash in such a string.
    Escape { depth: usize },
    /// An object or an array: its last bracket.
    Brackets { depth: usize },
}

impl JsonStream {
    /// A stream whose values have at most `limit` bytes each.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Bytes of the value that has begun.
    pub(super) fn begun(&self) -> usize {
        self.value.len()
    }

    /// Takes a piece and gives the values that end in it.
    pub fn push<E: From<RequestError>>(&mut self, piece: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut at = 0;
        while at < piece.len() {
            if self.value.is_empty() && !self.begin(piece[at], at)? {
                at += 1;
                continue;
            }
            let (end, whole) = self.scan(&piece[at..]);
            self.value.extend_from_slice(&piece[at..at + end]);
            if self.value.len() > self.limit {
                return Err(RequestError::TooLarge.into());
            }
            at += end;
            if whole {
                self.give(&mut each)?;
            }
        }
        self.offset += piece.len();
        Ok(())
    }

    /// Ends the stream and gives a last value that nothing followed.
    pub fn finish<E: From<RequestError>>(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.value.is_empty() && self.place == Place::Sequence && self.shape == Shape::Bare {
            self.give(&mut each)?;
        }
        if self.value.is_empty() && matches!(self.place, Place::Start | Place::Sequence | Place::End) {
            return Ok(());
        }
        Err(self.refuse(Reason::UnexpectedEnd, 0).into())
    }

    fn give<E>(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        each(&self.value)?;
        self.value.clear();
        Ok(())
    }

    /// Takes a byte between values: whether a value begins with it.
    fn begin(&mut self, byte: u8, at: usize) -> Result<bool, RequestError> {
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Ok(false);
        }
        self.place = match (self.place, byte) {
            (Place::Start, b'[') => Place::ArrayStart,
            (Place::ArrayComma, b',') => Place::ArrayValue,
            (Place::ArrayStart | Place::ArrayComma, b']') => Place::End,
            (Place::ArrayComma, _) => return Err(self.refuse(Reason::Syntax("a comma or the end of the array"), at)),
            (Place::End, _) => return Err(self.refuse(Reason::TrailingData, at)),
            (_, b',' | b':' | b']' | b'}') => return Err(self.refuse(Reason::Syntax("a value"), at)),
            (place, _) => {
                self.place = if matches!(place, Place::Start) { Place::Sequence } else { place };
                if matches!(place, Place::ArrayStart | Place::ArrayValue) {
                    self.place = Place::ArrayComma;
                }
                self.shape = Shape::Bare;
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// How many bytes belong to the value, and whether they end it.
    fn scan(&mut self, piece: &[u8]) -> (usize, bool) {
        for (at, &byte) in piece.iter().enumerate() {
            let first = at == 0 && self.value.is_empty();
            self.shape = match (self.shape, byte) {
                (Shape::Bare, b'"') if first => Shape::String { depth: 0 },
                (Shape::Bare, b'{' | b'[') if first => Shape::Brackets { depth: 1 },
                (Shape::Bare, b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}' | b'"' | b'{' | b'[') => return (at, true),
                (Shape::String { depth: 0 }, b'"') | (Shape::Brackets { depth: 1 }, b'}' | b']') => return (at + 1, true),
                (Shape::String { depth }, b'\\') => Shape::Escape { depth },
                (Shape::Escape { depth }, _) | (Shape::Brackets { depth }, b'"') => Shape::String { depth },
                (Shape::String { depth }, b'"') => Shape::Brackets { depth },
                (Shape::Brackets { depth }, b'{' | b'[') => Shape::Brackets { depth: depth + 1 },
                (Shape::Brackets { depth }, b'}' | b']') => Shape::Brackets { depth: depth - 1 },
                (shape, _) => shape,
            };
        }
        (piece.len(), false)
    }

    fn refuse(&self, reason: Reason, at: usize) -> RequestError {
        RequestError::Body(Error::new(reason, String::new(), Some(self.offset + at)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn values(pieces: &[&[u8]]) -> Result<Vec<String>, RequestError> {
        let mut values = Vec::new();
        let mut stream = JsonStream::new(64);
        let mut take = |value: &[u8]| {
            values.push(String::from_utf8(value.to_vec()).unwrap());
            Ok::<(), RequestError>(())
        };
        for piece in pieces {
            stream.push(piece, &mut take)?;
        }
        stream.finish(&mut take)?;
        Ok(values)
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_values() {
        for text in [
            r#" [ {"a":"]},[\\\"" , "b":[{}]} ,12, "x\\",null,[]] "#,
            "{\"a\":1}\n{\"a\":2}\n",
            r#"{}{}"a""b" 12 true"#,
            "[]",
            "",
            "  ",
            "12",
        ] {
            let whole = values(&[text.as_bytes()]).unwrap();
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(values(&bytes).unwrap(), whole, "{text}");
            for cut in 0..text.len() {
                let (head, tail) = text.as_bytes().split_at(cut);
                assert_eq!(values(&[head, tail]).unwrap(), whole, "{text} cut at {cut}");
            }
        }
        assert_eq!(values(&[b"[1,{\"a\":[2]}]"]).unwrap(), ["1", "{\"a\":[2]}"]);
        assert_eq!(values(&[br#"{}{}"a""b" 12 true"#]).unwrap(), ["{}", "{}", "\"a\"", "\"b\"", "12", "true"]);
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        for text in ["[1", "[1,", "[1,]", "[,1]", "[1 2]", "[] 1", "{", "\"a", "]", ",", "{}}", "[1}]"] {
            assert!(values(&[text.as_bytes()]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_beyond_the_limit_is_refused() {
        let text = format!("[\"{}\"]", "x".repeat(70));
        assert_eq!(values(&[text.as_bytes()]), Err(RequestError::TooLarge));
    }
}
