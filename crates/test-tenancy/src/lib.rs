//! Fails a test that ran a tenant's statement without the tenant.
//!
//! Problem: a statement that forgets the tenant reads everybody's rows. On PostgreSQL row-level security holds it; on
//! SQLite nothing does, and reviews overlook it. Rule: every table of a domain that has a `tenant_id`, wherever a tenant's
//! statement names it, is bound to `$1`, the tenant that the store binds, in every row: by a condition that always holds
//! (`AND`, never one side of an `OR`), by its join to a table that is bound, or by what is inserted. It is checked on the
//! statements that ran, as the database got them. Statements that are declared `system` are for all tenants and are let
//! through. Recovery: a fault names domain, statement and table.
//!
//! [`Tenancy`] is what a store tells of its statements ([`weft_store::Settings::watch`]); the testkit gives it to every
//! domain of every test. A statement that cannot be read is a fault too: it is checked or it is not run.

mod statement;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use weft_store::{Authority, Dialect, Statement, Watch};

pub use statement::faults;

/// Looks at the statements that run.
#[derive(Debug, Default)]
pub struct Tenancy {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The tables that have a tenant, by domain.
    tables: BTreeMap<&'static str, BTreeSet<String>>,
    /// What was looked at, by domain and text.
    checked: HashSet<(&'static str, &'static str)>,
    faults: Vec<Fault>,
}

/// A tenant's statement that leaves a table open to all tenants, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose statement.
    pub domain: &'static str,
    /// The statement's name.
    pub statement: &'static str,
    /// What is wrong, with the table.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.statement, self.domain, self.what)
    }
}

impl Tenancy {
    /// What was wrong with the statements that ran so far.
    pub fn faults(&self) -> Vec<Fault> {
        self.seen().faults.clone()
    }

    /// How many statements of tenants were looked at.
    pub fn checked(&self) -> usize {
        self.seen().checked.len()
    }

    /// Ends the test if a statement was wrong.
    ///
    /// # Panics
    ///
    /// If one was.
    pub fn demand(&self) {
        let faults = self.faults();
        let list: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        assert!(faults.is_empty(), "statements ran without their tenant:{}", list.concat());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Tenancy {
    fn opened(&self, domain: &'static str, tenant_tables: Vec<String>) {
        self.seen().tables.entry(domain).or_default().extend(tenant_tables);
    }

    fn runs(&self, domain: &'static str, statement: &'static Statement, dialect: Dialect) {
        if statement.authority() == Authority::System {
            return;
        }
        let text = match dialect {
            Dialect::Postgres => statement.postgres(),
            Dialect::Sqlite => statement.sqlite(),
        };
        let mut seen = self.seen();
        if !seen.checked.insert((domain, text)) {
            return;
        }
        let found = faults(text, dialect, seen.tables.get(domain).unwrap_or(&BTreeSet::new()));
        seen.faults.extend(found.into_iter().map(|what| Fault { domain, statement: statement.name(), what }));
    }
}
