//! The tables of one query, and which of them its conditions bind to the tenant.

use std::collections::BTreeSet;

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value,
};

/// What can be named in one query.
pub(super) struct Scope {
    tenant_tables: BTreeSet<String>,
    /// Tables that have a tenant: what they are called here, and the table.
    tables: Vec<(String, String)>,
    /// What is bound: of this query, and of what surrounds it. What is derived from a query is bound by that query.
    bound: BTreeSet<String>,
    /// Conditions of joins, each with the only table that it may bind, if it may not bind all.
    conditions: Vec<(Expr, Option<String>)>,
}

/// One side of a comparison.
enum Side {
    /// The parameter that the store binds, or a column of what is bound.
    Bound,
    /// The tenant's column of this table.
    Table(String),
    /// Anything else.
    Other,
}

impl Scope {
    pub(super) fn inside(outer: Option<&Self>, tenant_tables: &BTreeSet<String>) -> Self {
        let bound = outer.map(|outer| outer.bound.clone()).unwrap_or_default();
        Self { tenant_tables: tenant_tables.clone(), tables: Vec::new(), bound, conditions: Vec::new() }
    }

    pub(super) fn add_tables(&mut self, from: &[TableWithJoins]) {
        for tables in from {
            self.add_factor(&tables.relation);
            for join in &tables.joins {
                self.add_join(join);
            }
        }
    }

    pub(super) fn add_table(&mut self, alias: &str, table: &str) {
        if self.tenant_tables.contains(table) {
            // It may hide one of the same name outside.
            self.bound.remove(alias);
            self.tables.push((alias.to_owned(), table.to_owned()));
        } else {
            self.bound.insert(alias.to_owned());
        }
    }

    /// What the table is called here, if it has one name.
    fn add_factor(&mut self, factor: &TableFactor) -> Option<String> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let table = last_part(name);
                let alias = alias.as_ref().map_or_else(|| table.clone(), |alias| lower(&alias.name));
                self.add_table(&alias, &table);
                Some(alias)
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.add_tables(std::slice::from_ref(table_with_joins));
                None
            }
            TableFactor::Derived { alias, subquery, .. } => {
                let alias = lower(&alias.as_ref()?.name);
                // Its own tables are checked by themselves.
                if gives_tenant(&subquery.body) {
                    self.bound.insert(alias.clone());
                }
                Some(alias)
            }
            _ => None,
        }
    }

    fn add_join(&mut self, join: &Join) {
        let before: Vec<_> = self.tables.iter().map(|(alias, _)| alias.clone()).collect();
        let joined = self.add_factor(&join.relation);
        let (constraint, binds_all) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::CrossJoin(constraint) => {
                (constraint, true)
            }
            // A row of the left side is there whatever the condition says.
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, false),
            _ => return,
        };
        let only = if binds_all { None } else { Some(joined.clone().unwrap_or_default()) };
        match constraint {
            JoinConstraint::On(condition) => self.conditions.push((condition.clone(), only)),
            JoinConstraint::Using(columns) if columns.iter().any(|column| last_part(column) == "tenant_id") => {
                for (left, right) in before.iter().zip(joined.iter().cycle()) {
                    let column = |table: &str| Expr::CompoundIdentifier(vec![Ident::new(table), Ident::new("tenant_id")]);
                    let same =
                        Expr::BinaryOp { left: Box::new(column(left)), op: BinaryOperator::Eq, right: Box::new(column(right)) };
                    self.conditions.push((same, only.clone()));
                }
            }
            JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => {}
        }
    }

    /// The tables that the query's condition and those of its joins leave open.
    pub(super) fn open_tables(&mut self, condition: Option<&Expr>) -> Vec<String> {
        let mut pairs = Vec::new();
        for (expression, only) in &self.conditions {
            equalities(expression, &mut |left, right| pairs.push((left.clone(), right.clone(), only.clone())));
        }
        let mut subqueries = Vec::new();
        if let Some(condition) = condition {
            equalities(condition, &mut |left, right| pairs.push((left.clone(), right.clone(), None)));
            members(condition, &mut |column| subqueries.push(column.clone()));
        }
        for column in subqueries {
            if let Side::Table(table) = self.side(&column) {
                self.bound.insert(table);
            }
        }
        // A table that is bound binds what is compared with it, in whichever order that is written.
        loop {
            let before = self.bound.len();
            for (left, right, only) in &pairs {
                let may = |table: &String| only.as_ref().is_none_or(|only| only == table);
                match (self.side(left), self.side(right)) {
                    (Side::Bound, Side::Table(table)) | (Side::Table(table), Side::Bound) if may(&table) => {
                        self.bound.insert(table);
                    }
                    _ => {}
                }
            }
            if self.bound.len() == before {
                break;
            }
        }
        self.tables.iter().filter(|(alias, _)| !self.bound.contains(alias)).map(|(_, table)| table.clone()).collect()
    }

    fn side(&self, expression: &Expr) -> Side {
        if is_tenant_parameter(expression) {
            return Side::Bound;
        }
        if !is_tenant_column(expression) {
            return Side::Other;
        }
        let owner = match expression {
            Expr::CompoundIdentifier(parts) => parts.iter().rev().nth(1).map(lower),
            // Of the only table here that can have it; two would be ambiguous. With none it is of what surrounds the query.
            _ => self.tables.first().map(|(alias, _)| alias.clone()),
        };
        match owner {
            Some(owner) if self.bound.contains(&owner) => Side::Bound,
            Some(owner) if self.tables.iter().any(|(alias, _)| *alias == owner) => Side::Table(owner),
            _ => Side::Other,
        }
    }
}

/// Whether a query gives the tenant as `tenant_id`: `$1` itself, or the column of a table that it selects from.
fn gives_tenant(body: &SetExpr) -> bool {
    let gives = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::UnnamedExpr(expression) => is_tenant_column(expression),
        SelectItem::ExprWithAlias { expr, alias } => {
            lower(alias) == "tenant_id" && (is_tenant_parameter(expr) || is_tenant_column(expr))
        }
        SelectItem::ExprWithAliases { .. } => false,
    };
    match body {
        SetExpr::Select(select) => select.projection.iter().any(gives),
        SetExpr::Query(query) => gives_tenant(&query.body),
        SetExpr::SetOperation { left, right, .. } => gives_tenant(left) && gives_tenant(right),
        _ => false,
    }
}

/// Goes through the equalities that hold wherever the condition holds.
fn equalities(condition: &Expr, found: &mut impl FnMut(&Expr, &Expr)) {
    match condition {
        Expr::Nested(inner) => equalities(inner, found),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            equalities(left, found);
            equalities(right, found);
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (&**left, &**right) {
            (Expr::Tuple(left), Expr::Tuple(right)) => left.iter().zip(right).for_each(|(left, right)| found(left, right)),
            (left, right) => found(left, right),
        },
        _ => {}
    }
}

/// Goes through the columns that are among what a subquery gives for the tenant.
fn members(condition: &Expr, found: &mut impl FnMut(&Expr)) {
    match condition {
        Expr::Nested(inner) => members(inner, found),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            members(left, found);
            members(right, found);
        }
        Expr::InSubquery { expr, subquery, negated: false } => {
            let columns = match &**expr {
                Expr::Tuple(columns) => columns.as_slice(),
                column => std::slice::from_ref(column),
            };
            let bound = columns.iter().enumerate().filter(|(place, _)| super::binds_column(subquery, *place));
            bound.for_each(|(_, column)| found(column));
        }
        _ => {}
    }
}

/// `$1`, whatever it is cast to.
pub(super) fn is_tenant_parameter(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(&value.value, Value::Placeholder(name) if name == "$1"),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_tenant_parameter(expr),
        _ => false,
    }
}

/// `tenant_id`, of whatever table.
pub(super) fn is_tenant_column(expression: &Expr) -> bool {
    match expression {
        Expr::Identifier(name) => lower(name) == "tenant_id",
        Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|name| lower(name) == "tenant_id"),
        _ => false,
    }
}

/// The name of a table or column without what it is in.
pub(super) fn last_part(name: &ObjectName) -> String {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(name)) => lower(name),
        Some(ObjectNamePart::Function(_)) | None => String::new(),
    }
}

fn lower(name: &Ident) -> String {
    name.value.to_ascii_lowercase()
}
