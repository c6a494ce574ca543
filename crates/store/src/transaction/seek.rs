//! A statement that is completed by what a request seeks: its conditions and its order.
//!
//! The statement stands in the domain's table, can be prepared as it is, and names two places: `/*conditions*/` behind its own
//! conditions, and `/*order*/id` wherever it sorts. What is put there is text of the program with bound values
//! ([`weft_filter::Clause`]), behind the tenant's condition and in parentheses: it can narrow what the statement reaches and
//! nothing else.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, SqlSafeStr};
use weft_filter::{Clause, Page, Piece, Value};

use super::{Bound, Run};
use crate::StoreError;

/// Where the conditions go.
const CONDITIONS: &str = "/*conditions*/";
/// Where the order goes.
const ORDER: &str = "/*order*/id";

impl Run<'_> {
    /// Completes the statement by a page of what is sought, whose values are bound behind those that are bound so far. Bind what
    /// the statement's own text asks for before.
    pub fn seek(mut self, page: &Page) -> Self {
        self.is_kept &= page.is_usual;
        self.fill(CONDITIONS, &page.conditions).fill(ORDER, &page.order)
    }

    fn fill(mut self, mark: &'static str, clause: &Clause) -> Self {
        let mut sql = String::new();
        for piece in clause.pieces() {
            match piece {
                Piece::Sql(text) => sql.push_str(text),
                Piece::Value(value) => {
                    self = self.bind_sought(value);
                    let place = self.bound.as_ref().map_or(0, Bound::len);
                    // Writing to a string does not fail.
                    let _ = write!(sql, "${place}");
                }
            }
        }
        if self.bound.is_ok() && !self.text.as_str().contains(mark) {
            self.bound = Err(StoreError::MarkMissing { statement: self.statement.name(), mark });
        }
        self.text = AssertSqlSafe(self.text.as_str().replace(mark, &sql)).into_sql_str();
        self
    }

    fn bind_sought(self, value: &Value) -> Self {
        match value {
            Value::Text(text) => self.bind(text.clone()),
            Value::Bytes(text) => self.bind(text.clone().into_bytes()),
            Value::Integer(number) => self.bind(*number),
            Value::Bool(value) => self.bind(*value),
            Value::Time(time) => self.bind(*time),
            Value::Uuid(id) => self.bind(*id),
        }
    }
}
