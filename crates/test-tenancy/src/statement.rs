//! Whether a statement binds every table that has a tenant.

mod scope;

use std::{collections::BTreeSet, ops::ControlFlow};

use sqlparser::{
    ast::{
        Assignment, AssignmentTarget, ConflictTarget, Expr, FromTable, Insert, ObjectName, OnConflictAction, OnInsert, Query,
        Select, SelectItem, SetExpr, Statement, TableObject, UpdateTableFromKind, Visit, Visitor,
    },
    dialect::{PostgreSqlDialect, SQLiteDialect},
    parser::Parser,
};
use weft_store::Dialect;

use scope::{Scope, is_tenant_column, is_tenant_parameter};

/// What gives a number for a transaction, and nothing else.
const NEXT_NUMBER: &str = "COALESCE(MAX(transaction_id), 0) + 1";

/// What is wrong with a tenant's statement, given the tables that have a `tenant_id`.
pub fn faults(text: &str, dialect: Dialect, tenant_tables: &BTreeSet<String>) -> Vec<String> {
    let parsed = match dialect {
        Dialect::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, text),
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, text),
    };
    let statements = match parsed {
        Ok(statements) => statements,
        Err(error) => return vec![format!("it cannot be read, and so not be checked: {error}")],
    };
    let mut check = Check { tables: tenant_tables, scopes: Vec::new(), faults: BTreeSet::new() };
    // Its visits never break off.
    let _ = statements.visit(&mut check);
    check.faults.into_iter().collect()
}

/// Goes through a statement, the scopes of what surrounds each query on a stack.
struct Check<'a> {
    tables: &'a BTreeSet<String>,
    scopes: Vec<Scope>,
    faults: BTreeSet<String>,
}

impl Visitor for Check<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let mut scope = self.inside();
        match statement {
            Statement::Update(update) => {
                scope.add_tables(std::slice::from_ref(&update.table));
                match &update.from {
                    Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => scope.add_tables(from),
                    None => {}
                }
                self.close(&mut scope, update.selection.as_ref());
                self.check_assignments(&update.assignments);
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                scope.add_tables(from);
                scope.add_tables(delete.using.as_deref().unwrap_or_default());
                self.close(&mut scope, delete.selection.as_ref());
            }
            Statement::Insert(insert) => self.check_insert(insert),
            // What stands in it is visited by itself.
            Statement::Query(_) => {}
            _ => drop(self.faults.insert("it is neither SELECT, INSERT, UPDATE nor DELETE".to_owned())),
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _statement: &Statement) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut scope = self.inside();
        scope.add_tables(&select.from);
        if !gives_a_number_alone(select) {
            self.close(&mut scope, select.selection.as_ref());
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }
}

impl Check<'_> {
    /// A scope inside of the present one, whose bound tables it sees.
    fn inside(&self) -> Scope {
        Scope::inside(self.scopes.last(), self.tables)
    }

    /// Says which tables of the scope its conditions leave open.
    fn close(&mut self, scope: &mut Scope, condition: Option<&Expr>) {
        self.faults
            .extend(scope.open_tables(condition).into_iter().map(|table| format!("it leaves {table} open to all tenants")));
    }

    fn check_assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            let gives_away = match &assignment.target {
                AssignmentTarget::ColumnName(column) => is_tenant_name(column) && !is_tenant_parameter(&assignment.value),
                AssignmentTarget::Tuple(columns) => columns.iter().any(is_tenant_name),
            };
            if gives_away {
                self.faults.insert("it gives rows to another tenant".to_owned());
            }
        }
    }

    fn check_insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else {
            self.faults.insert("it inserts into what is no table".to_owned());
            return;
        };
        let table = scope::last_part(name);
        if !self.tables.contains(&table) {
            return;
        }
        let place = insert.columns.iter().position(is_tenant_name);
        let is_bound = match (place, &insert.source) {
            (Some(place), Some(source)) => binds_column(source, place),
            _ => false,
        };
        if !is_bound {
            self.faults.insert(format!("it inserts into {table} for another tenant than $1"));
        }
        if let Some(OnInsert::OnConflict(conflict)) = &insert.on
            && let OnConflictAction::DoUpdate(update) = &conflict.action
        {
            self.check_assignments(&update.assignments);
            let by_tenant = matches!(&conflict.conflict_target, Some(ConflictTarget::Columns(columns))
                if columns.iter().any(|column| column.value.eq_ignore_ascii_case("tenant_id")));
            let mut scope = self.inside();
            scope.add_table(&table, &table);
            if !by_tenant && !scope.open_tables(update.selection.as_ref()).is_empty() {
                self.faults.insert(format!("its conflict may change rows of {table} of another tenant"));
            }
        }
    }
}

/// Numbers of transactions are a database's and not a tenant's. SQLite has none of its own: a query that gives nothing but
/// the next may look at all rows for it.
fn gives_a_number_alone(select: &Select) -> bool {
    matches!(select.projection.as_slice(), [SelectItem::UnnamedExpr(only)] if only.to_string() == NEXT_NUMBER)
}

fn is_tenant_name(name: &ObjectName) -> bool {
    scope::last_part(name) == "tenant_id"
}

/// Whether a query gives the tenant in this column of every row.
fn binds_column(query: &Query, place: usize) -> bool {
    binds(&query.body, place)
}

fn binds(body: &SetExpr, place: usize) -> bool {
    match body {
        SetExpr::Values(values) => values.rows.iter().all(|row| row.content.get(place).is_some_and(is_tenant_parameter)),
        // The tables that it selects from are checked by themselves, so that their tenant is the statement's.
        SetExpr::Select(select) => match select.projection.get(place) {
            Some(SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) => {
                is_tenant_parameter(expression) || is_tenant_column(expression)
            }
            _ => false,
        },
        SetExpr::Query(query) => binds(&query.body, place),
        SetExpr::SetOperation { left, right, .. } => binds(left, place) && binds(right, place),
        _ => false,
    }
}
