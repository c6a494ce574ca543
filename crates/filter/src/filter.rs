//! Filters (AIP-160): which of a list's items are wanted.
//!
//! A comparison with a field that is not set does not hold, and `!=`, which is its opposite, does: `NOT a = b` and `a != b` are
//! the same for every item.

use crate::{Clause, Field, FilterError, Place, Value, error::names, reader::Reader};

/// Longest filter, in bytes.
pub(crate) const LENGTH_LIMIT: usize = 1000;
/// How deep its parentheses and negations go.
pub(crate) const DEPTH_LIMIT: usize = 10;
/// Comparisons in it.
pub(crate) const COMPARISON_LIMIT: usize = 25;

/// Which of a list's items are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    node: Option<Node>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// The field is set.
    Set(Place),
    Compare(Place, &'static str, Value),
}

impl Filter {
    /// Reads a filter of a list with these fields. The empty text wants everything.
    pub fn parse(text: &str, fields: &'static [Field]) -> Result<Self, FilterError> {
        if text.len() > LENGTH_LIMIT {
            return Err(FilterError::TooLong);
        }
        let mut parser = Parser { reader: Reader::new(text), fields, comparisons: 0 };
        if parser.reader.is_at_end() {
            return Ok(Self { node: None });
        }
        let node = parser.all(0)?;
        if parser.reader.is_at_end() { Ok(Self { node: Some(node) }) } else { Err(parser.no_comparison()) }
    }

    /// True if everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.node.is_none()
    }

    /// What stands behind a statement's own conditions: ` AND (..)`, or nothing.
    pub fn clause(&self) -> Clause {
        let mut clause = Clause::default();
        if let Some(node) = &self.node {
            clause.sql(" AND (");
            node.write(&mut clause);
            clause.sql(")");
        }
        clause
    }
}

impl Node {
    fn write(&self, clause: &mut Clause) {
        match self {
            Self::All(nodes) => Self::join(nodes, " AND ", clause),
            Self::Any(nodes) => Self::join(nodes, " OR ", clause),
            Self::Not(node) => {
                clause.sql("NOT (");
                node.write(clause);
                clause.sql(")");
            }
            Self::Set(Place::Column(column) | Place::Nullable(column)) => {
                clause.sql(column);
                clause.sql(" IS NOT NULL");
            }
            Self::Set(Place::Rows { select, .. }) => {
                clause.sql("EXISTS (");
                clause.sql(select);
                clause.sql(")");
            }
            Self::Compare(place, operator, value) => Self::write_comparison(*place, operator, value, clause),
        }
    }

    fn write_comparison(place: Place, operator: &'static str, value: &Value, clause: &mut Clause) {
        let (column, end) = match place {
            Place::Column(column) => (column, ""),
            Place::Nullable(column) => {
                clause.sql("(");
                clause.sql(column);
                clause.sql(if operator == " <> " { " IS NULL OR " } else { " IS NOT NULL AND " });
                (column, ")")
            }
            Place::Rows { select, column } => {
                clause.sql("EXISTS (");
                clause.sql(select);
                clause.sql(" AND ");
                (column, ")")
            }
        };
        clause.sql(column);
        clause.sql(operator);
        clause.value(value.clone());
        clause.sql(end);
    }

    fn join(nodes: &[Self], word: &'static str, clause: &mut Clause) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                clause.sql(word);
            }
            clause.sql("(");
            node.write(clause);
            clause.sql(")");
        }
    }

    /// One node for several, of which there is one at least.
    fn of(mut nodes: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match (nodes.len(), nodes.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                nodes.extend(last);
                join(nodes)
            }
        }
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    fields: &'static [Field],
    comparisons: usize,
}

/// As a filter writes them, and as SQL does. The longer ones first: one begins with another.
const OPERATORS: [(&str, &str); 7] =
    [("!=", " <> "), ("<=", " <= "), (">=", " >= "), ("=", " = "), ("<", " < "), (">", " > "), (":", " = ")];

impl Parser<'_> {
    /// `a AND b c`: what follows something without a word between them is wanted too.
    fn all(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.any(depth)?];
        while self.reader.takes_word("AND") || !(self.reader.is_at_end() || self.reader.sees(")")) {
            nodes.push(self.any(depth)?);
        }
        Ok(Node::of(nodes, Node::All))
    }

    /// `a OR b`.
    fn any(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one(depth)?];
        while self.reader.takes_word("OR") {
            nodes.push(self.one(depth)?);
        }
        Ok(Node::of(nodes, Node::Any))
    }

    /// `NOT a`, `-a`, `(a)` or a comparison.
    fn one(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth == DEPTH_LIMIT {
            return Err(FilterError::TooDeep);
        }
        if self.reader.takes_word("NOT") || self.reader.takes("-") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if !self.reader.takes("(") {
            return self.comparison();
        }
        let node = self.all(depth + 1)?;
        if self.reader.takes(")") { Ok(node) } else { Err(FilterError::ParenthesisOpen { place: self.reader.place() }) }
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        self.comparisons += 1;
        if self.comparisons > COMPARISON_LIMIT {
            return Err(FilterError::TooMany);
        }
        let field = self.field()?;
        let (operator, sql) = self.operator(field)?;
        if operator == ":" && self.reader.takes("*") {
            return Ok(Node::Set(field.place));
        }
        self.reader.skip_space();
        let place = self.reader.place();
        let invalid = || FilterError::ValueInvalid { place, field: field.name, expected: field.kind.expected() };
        let value = self.reader.takes_value()?.and_then(|value| field.kind.read(&value)).ok_or_else(invalid)?;
        Ok(Node::Compare(field.place, sql, value))
    }

    /// The field that comes next.
    fn field(&mut self) -> Result<&'static Field, FilterError> {
        self.reader.skip_space();
        let place = self.reader.place();
        let name = self.reader.takes_name();
        let is_quote = name.is_empty() && (self.reader.sees("\"") || self.reader.sees("'"));
        if is_quote {
            return Err(FilterError::ValueAlone { place, example: self.example() });
        }
        if matches!(name, "" | "AND" | "OR") {
            return Err(FilterError::ComparisonMissing { place, example: self.example() });
        }
        if let Some(field) = self.fields.iter().find(|field| field.name == name) {
            return Ok(field);
        }
        let name = name.to_owned();
        if self.reader.sees("(") {
            return Err(FilterError::Function { place, name });
        }
        if OPERATORS.iter().any(|(operator, _)| self.reader.sees(operator)) {
            return Err(FilterError::FieldUnknown { place, name, known: names(self.fields.iter()) });
        }
        Err(FilterError::ValueAlone { place, example: self.example() })
    }

    /// The operator that comes next, which the field must be fit for.
    fn operator(&mut self, field: &Field) -> Result<(&'static str, &'static str), FilterError> {
        self.reader.skip_space();
        let place = self.reader.place();
        let operators = match (field.place, field.kind.is_comparable()) {
            (Place::Rows { .. }, _) => &[":"][..],
            (Place::Column(_), false) => &["=", "!="],
            (Place::Column(_), true) => &["=", "!=", "<", "<=", ">", ">="],
            (Place::Nullable(_), false) => &["=", "!=", ":"],
            (Place::Nullable(_), true) => &["=", "!=", "<", "<=", ">", ">=", ":"],
        };
        let found = OPERATORS.into_iter().find(|(operator, _)| self.reader.takes(operator));
        // Of a field that is not repeated `:` asks whether it is set, and nothing else.
        let is_fit = |&(operator, _): &(&str, &str)| {
            let is_set = operator != ":" || matches!(field.place, Place::Rows { .. }) || self.reader.sees("*");
            operators.contains(&operator) && is_set
        };
        let unfit = || {
            let operators = operators.iter().map(|&operator| match (operator, field.place) {
                (":", Place::Nullable(_)) => ":*",
                (operator, _) => operator,
            });
            FilterError::OperatorUnfit { place, field: field.name, operators: operators.collect::<Vec<_>>().join(", ") }
        };
        found.filter(is_fit).ok_or_else(unfit)
    }

    /// A comparison of this list.
    fn example(&self) -> String {
        let field = self.fields.first();
        field.map_or_else(String::new, |field| match field.place {
            Place::Rows { .. } => format!("{}:..", field.name),
            Place::Column(_) | Place::Nullable(_) => format!("{} = ..", field.name),
        })
    }

    fn no_comparison(&mut self) -> FilterError {
        self.reader.skip_space();
        FilterError::ComparisonMissing { place: self.reader.place(), example: self.example() }
    }
}
