//! What a list can be filtered and ordered by.

use chrono::{DateTime, Datelike, SubsecRound, Timelike, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A field of what is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the contract calls it: `total.minor_units`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where the database keeps it.
    pub place: Place,
    /// The column that the list can be ordered by in its stead; `None` if the list cannot be ordered by the field. The column is
    /// never null, and stands in an index behind the tenant. For a text it holds the text's bytes (`BYTEA`), whole or their
    /// beginning, since databases order texts in ways of their own.
    pub order: Option<&'static str>,
}

/// Where the database keeps a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a column that is never null.
    Column(&'static str),
    /// In a column that is null as long as the field is not set.
    Nullable(&'static str),
    /// In rows that belong to what is listed, of which there are few: the field is repeated.
    Rows {
        /// Selects the rows: `SELECT 1 FROM lines AS l WHERE l.tenant_id = orders.tenant_id AND l.order_id = orders.id`.
        select: &'static str,
        /// The column of them, which is never null: `l.sku`.
        column: &'static str,
    },
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text: compared for being the same or not.
    Text,
    /// One of these words of the contract, each with what the column holds for it.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A moment (RFC 3339), to the microsecond.
    Time,
    /// An id.
    Uuid,
}

/// A value that a field is compared with, or the place of an item in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A text.
    Text(String),
    /// A text, bound as its bytes.
    Bytes(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// A moment.
    Time(DateTime<Utc>),
    /// An id.
    Uuid(Uuid),
}

impl Kind {
    /// Whether its values are compared by more than being the same.
    pub(crate) fn is_comparable(self) -> bool {
        matches!(self, Self::Integer | Self::Time)
    }

    /// What a value of it looks like.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text => "a text without NUL".to_owned(),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Integer => "a whole number such as 100".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Time => "a time such as \"2026-01-31T12:00:00Z\"".to_owned(),
            Self::Uuid => "an id (a UUID)".to_owned(),
        }
    }

    /// The value that a text says; nothing if it says none.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => (!text.contains('\0')).then(|| Value::Text(text.to_owned())),
            Self::Word(words) => {
                let held = words.iter().find(|(word, _)| *word == text).map(|(_, held)| *held)?;
                Some(Value::Text(held.to_owned()))
            }
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Bool => text.parse().ok().map(Value::Bool),
            Self::Time => {
                let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc).trunc_subsecs(6);
                // SQLite sorts times as texts, which years of other than four digits and leap seconds would upset.
                let sorts = (0..=9999).contains(&time.year()) && time.nanosecond() < 1_000_000_000;
                sorts.then_some(Value::Time(time))
            }
            Self::Uuid => Uuid::try_parse(text).ok().map(Value::Uuid),
        }
    }

    /// Whether a value can be the place of an item in an order by such a field.
    pub(crate) fn places(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Text, Value::Bytes(_))
                | (Self::Word(_), Value::Text(_))
                | (Self::Integer, Value::Integer(_))
                | (Self::Bool, Value::Bool(_))
                | (Self::Time, Value::Time(_))
                | (Self::Uuid, Value::Uuid(_))
        )
    }
}
