//! A piece of SQL that holds no text of a stranger.

use std::fmt;

use crate::Value;

/// A part of a clause.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// SQL, which stands in the program.
    Sql(&'static str),
    /// A parameter, and what is bound to it.
    Value(Value),
}

/// A piece of SQL: texts of the program, and values that are bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clause {
    pieces: Vec<Piece>,
}

impl Clause {
    /// Its parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn sql(&mut self, text: &'static str) {
        self.pieces.push(Piece::Sql(text));
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
    }

    pub(crate) fn value(&mut self, value: Value) {
        self.pieces.push(Piece::Value(value));
    }
}

/// With `?` for each value.
impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Sql(text) => f.write_str(text),
            Piece::Value(_) => f.write_str("?"),
        })
    }
}
