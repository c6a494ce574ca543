//! One value of a row, the same whichever database it comes from.

use chrono::{DateTime, Utc};
use serde_json::Value as JsonValue;
use sqlx::{Row, postgres::PgRow, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

/// The types that mean the same on both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Text,
    Integer,
    Float,
    Bool,
    Bytes,
    Time,
    Json,
}

impl Kind {
    /// By the name that PostgreSQL gives the type.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "uuid" => Self::Uuid,
            "text" => Self::Text,
            "bigint" => Self::Integer,
            "double precision" => Self::Float,
            "boolean" => Self::Bool,
            "bytea" => Self::Bytes,
            "timestamp with time zone" => Self::Time,
            "jsonb" => Self::Json,
            _ => return None,
        })
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Uuid(Uuid),
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Time(DateTime<Utc>),
    Json(JsonValue),
}

macro_rules! cells_of {
    ($name:ident, $row:ty) => {
        /// The values of a row.
        pub(super) fn $name(row: &$row, kinds: &[Kind]) -> Result<Vec<Cell>, sqlx::Error> {
            fn some<T>(value: Option<T>, make: impl FnOnce(T) -> Cell) -> Cell {
                value.map_or(Cell::Null, make)
            }
            let cell = |(index, kind): (usize, &Kind)| {
                Ok(match kind {
                    Kind::Uuid => some(row.try_get_unchecked(index)?, Cell::Uuid),
                    Kind::Text => some(row.try_get_unchecked(index)?, Cell::Text),
                    Kind::Integer => some(row.try_get_unchecked(index)?, Cell::Integer),
                    Kind::Float => some(row.try_get_unchecked(index)?, Cell::Float),
                    Kind::Bool => some(row.try_get_unchecked(index)?, Cell::Bool),
                    Kind::Bytes => some(row.try_get_unchecked(index)?, Cell::Bytes),
                    Kind::Time => some(row.try_get_unchecked(index)?, Cell::Time),
                    Kind::Json => some(row.try_get_unchecked(index)?, |Json(value)| Cell::Json(value)),
                })
            };
            kinds.iter().enumerate().map(cell).collect()
        }
    };
}
cells_of!(from_sqlite, SqliteRow);
cells_of!(from_postgres, PgRow);

impl Cell {
    /// Its size in memory, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Json(value) => value.to_string().len(),
            Self::Null | Self::Uuid(_) | Self::Integer(_) | Self::Float(_) | Self::Bool(_) | Self::Time(_) => 16,
        }
    }

    /// Adds bytes that are the same for the same value, and for no other value.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Uuid(value) => tagged(out, 1, value.as_bytes()),
            Self::Text(value) => tagged(out, 2, value.as_bytes()),
            Self::Integer(value) => tagged(out, 3, &value.to_be_bytes()),
            Self::Float(value) => tagged(out, 4, &value.to_bits().to_be_bytes()),
            Self::Bool(value) => tagged(out, 5, &[u8::from(*value)]),
            Self::Bytes(value) => tagged(out, 6, value),
            Self::Time(value) => tagged(out, 7, &value.timestamp_micros().to_be_bytes()),
            Self::Json(value) => {
                out.push(8);
                write_json(value, out);
            }
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}

/// By what it says: the order of names in an object and the spelling of a number are no part of that.
fn write_json(value: &JsonValue, out: &mut Vec<u8>) {
    match value {
        JsonValue::Null => out.push(0),
        JsonValue::Bool(value) => tagged(out, 1, &[u8::from(*value)]),
        JsonValue::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => tagged(out, 2, whole.to_string().as_bytes()),
            // Prints a whole number without a fraction.
            (None, Some(float)) => tagged(out, 2, float.to_string().as_bytes()),
            (None, None) => tagged(out, 2, number.to_string().as_bytes()),
        },
        JsonValue::String(text) => tagged(out, 3, text.as_bytes()),
        JsonValue::Array(values) => {
            tagged(out, 4, &(values.len() as u64).to_be_bytes());
            for value in values {
                write_json(value, out);
            }
        }
        JsonValue::Object(members) => {
            tagged(out, 5, &(members.len() as u64).to_be_bytes());
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (name, value) in members {
                tagged(out, 3, name.as_bytes());
                write_json(value, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(cells: &[Cell]) -> Vec<u8> {
        let mut out = Vec::new();
        for cell in cells {
            cell.write(&mut out);
        }
        out
    }

    #[test]
    fn other_values_have_other_bytes() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![Cell::Null, text("abc")],
            vec![text("abc"), Cell::Null],
            vec![text(""), text("abc")],
            vec![Cell::Bytes(b"ab".to_vec()), text("c")],
            vec![Cell::Integer(1), Cell::Bool(true)],
            vec![Cell::Bool(true), Cell::Integer(1)],
            vec![Cell::Json(json!({"a": [1, 2]})), Cell::Null],
            vec![Cell::Json(json!({"a": [1, "2"]})), Cell::Null],
            vec![Cell::Json(json!({"a": [[1], 2]})), Cell::Null],
        ];
        for (index, row) in rows.iter().enumerate() {
            for (other_index, other) in rows.iter().enumerate() {
                assert_eq!(bytes(row) == bytes(other), index == other_index, "{row:?} {other:?}");
            }
        }
    }

    #[test]
    fn json_is_what_it_says() {
        let one: JsonValue = serde_json::from_str(r#"{"b": 100.0, "a": [1e2, "x"]}"#).unwrap_or_default();
        let same: JsonValue = serde_json::from_str(r#"{"a": [100, "x"], "b": 100}"#).unwrap_or_default();
        assert!(one.is_object() && same.is_object());
        assert_eq!(bytes(&[Cell::Json(one)]), bytes(&[Cell::Json(same)]));
    }
}
