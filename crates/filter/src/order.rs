//! Orders (AIP-132): which of a list's items come first, and where a page goes on.
//!
//! A page begins behind the last item of the page before it, by the values that the list is ordered by, so that items that
//! come and go in between neither repeat nor hide others. The id, which no two items share, is always the last of them.

use crate::{Clause, Field, OrderError, Value, error::names};

/// Fields that an order names at most.
pub(crate) const FIELD_LIMIT: usize = 3;
/// Longest order, in bytes.
pub(crate) const LENGTH_LIMIT: usize = 200;

/// Which of a list's items come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    field: Field,
    column: &'static str,
    is_descending: bool,
}

impl Order {
    /// Reads an order of a list with these fields, those of them that it can be ordered by. The `id` goes the way of the last.
    pub fn parse(text: &str, fields: &'static [Field], id: Field) -> Result<Self, OrderError> {
        if text.len() > LENGTH_LIMIT {
            return Err(OrderError::TooLong);
        }
        let mut keys: Vec<Key> = Vec::new();
        let parts = text.split(',').filter(|_| !text.trim().is_empty());
        for part in parts {
            if keys.len() == FIELD_LIMIT {
                return Err(OrderError::TooLong);
            }
            let key = read(part.trim(), fields)?;
            if keys.iter().any(|other| other.field.name == key.field.name) {
                return Err(OrderError::Twice { name: key.field.name });
            }
            keys.push(key);
        }
        let is_descending = keys.last().is_some_and(|key| key.is_descending);
        keys.extend(id.order.map(|column| Key { field: id, column, is_descending }));
        Ok(Self { keys })
    }

    /// What stands behind `ORDER BY`: `total DESC, id DESC`.
    pub fn clause(&self) -> Clause {
        let mut clause = Clause::default();
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                clause.sql(", ");
            }
            clause.sql(key.column);
            if key.is_descending {
                clause.sql(" DESC");
            }
        }
        clause
    }

    /// The names of the fields whose values say where an item stands, the id's last.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.field.name)
    }

    /// What stands behind a statement's own conditions for a page that begins behind an item with these values.
    pub fn behind(&self, values: &[Value]) -> Result<Clause, OrderError> {
        let is_place = |(key, value): (&Key, &Value)| key.field.kind.places(value);
        if self.keys.len() != values.len() || !self.keys.iter().zip(values).all(is_place) {
            return Err(OrderError::ValuesUnfit);
        }
        let mut clause = Clause::default();
        clause.sql(" AND (");
        if self.keys.iter().all(|key| key.is_descending == self.keys[0].is_descending) {
            self.write_row(values, &mut clause);
        } else {
            self.write_chain(values, &mut clause);
        }
        clause.sql(")");
        Ok(clause)
    }

    /// `(a, b) < (?, ?)`, for which an index is of use.
    fn write_row(&self, values: &[Value], clause: &mut Clause) {
        let way = if self.keys[0].is_descending { ") < (" } else { ") > (" };
        for (index, key) in self.keys.iter().enumerate() {
            clause.sql(if index == 0 { "(" } else { ", " });
            clause.sql(key.column);
        }
        clause.sql(way);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                clause.sql(", ");
            }
            clause.value(value.clone());
        }
        clause.sql(")");
    }

    /// `a > ? OR (a = ? AND b < ?)`, where the ways differ.
    fn write_chain(&self, values: &[Value], clause: &mut Clause) {
        for last in 0..self.keys.len() {
            clause.sql(if last == 0 { "(" } else { " OR (" });
            for (index, (key, value)) in self.keys.iter().zip(values).take(last + 1).enumerate() {
                if index > 0 {
                    clause.sql(" AND ");
                }
                clause.sql(key.column);
                clause.sql(match (index == last, key.is_descending) {
                    (false, _) => " = ",
                    (true, true) => " < ",
                    (true, false) => " > ",
                });
                clause.value(value.clone());
            }
            clause.sql(")");
        }
    }
}

fn read(part: &str, fields: &'static [Field]) -> Result<Key, OrderError> {
    let mut words = part.split_whitespace();
    let (name, is_descending) = match (words.next(), words.next(), words.next()) {
        (Some(name), None | Some("asc"), None) => (name, false),
        (Some(name), Some("desc"), None) => (name, true),
        _ => return Err(OrderError::Unreadable { text: part.to_owned() }),
    };
    let field = fields.iter().find(|field| field.name == name);
    let key = field.and_then(|field| Some(Key { field: *field, column: field.order?, is_descending }));
    key.ok_or_else(|| {
        let known = names(fields.iter().filter(|field| field.order.is_some()));
        OrderError::FieldUnknown { name: name.to_owned(), known }
    })
}
