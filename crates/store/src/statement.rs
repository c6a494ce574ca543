//! The SQL of a domain, every text of it in one table.
//!
//! Problem: a statement that forgets the tenant leaks, and one that only PostgreSQL or only SQLite
//! understands breaks where nobody looked. Rule: SQL is written in [`crate::statements!`] and nowhere
//! else; the store runs only what is in a domain's table, and [`crate::check`] prepares the whole
//! table on both databases.

/// Who may run a statement, and what the store binds to it by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Calls bound to a tenant; `$1` is that tenant.
    Tenant,
    /// Calls in [`weft_call::Scope::System`]; nothing is bound.
    System,
    /// Both: `$1` is the tenant, or the nil UUID in a system scope. For records of the mesh itself.
    Either,
}

/// One statement, with its text for each database.
#[derive(Debug)]
pub struct Statement {
    name: &'static str,
    authority: Authority,
    postgres: &'static str,
    sqlite: &'static str,
}

impl Statement {
    /// A statement; [`crate::statements!`] calls this.
    pub const fn new(name: &'static str, authority: Authority, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { name, authority, postgres, sqlite }
    }

    /// Its name in the domain: `INSERT_ORDER`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Who may run it.
    pub const fn authority(&self) -> Authority {
        self.authority
    }

    /// Its text for PostgreSQL.
    pub const fn postgres(&self) -> &'static str {
        self.postgres
    }

    /// Its text for SQLite.
    pub const fn sqlite(&self) -> &'static str {
        self.sqlite
    }
}

/// Declares the statements of a module, and `STATEMENTS`, the table of them for
/// [`crate::SchemaPart::statements`].
///
/// ```
/// weft_store::statements! {
///     /// One text for both databases. `$1` is the tenant, which the store binds.
///     GET_JOB = "SELECT id FROM jobs WHERE tenant_id = $1 AND id = $2";
///     /// A text for each.
///     CLAIM_JOB =
///         postgres "SELECT id FROM jobs WHERE tenant_id = $1 LIMIT 1 FOR UPDATE SKIP LOCKED"
///         sqlite "SELECT id FROM jobs WHERE tenant_id = $1 LIMIT 1";
///     /// Runs only in a system scope; nothing is bound by itself.
///     system COUNT_JOBS = "SELECT count(*) FROM jobs";
/// }
/// # assert_eq!(STATEMENTS.len(), 3);
/// ```
#[macro_export]
macro_rules! statements {
    ($($body:tt)*) => { $crate::__statements! { [] $($body)* } };
}

/// One step of [`statements!`]: the first statement of what is left.
#[doc(hidden)]
#[macro_export]
macro_rules! __statements {
    ([$($name:ident)*]) => {
        /// Every statement of this module.
        pub(crate) static STATEMENTS: &[&$crate::Statement] = &[$(&$name),*];
    };
    ([$($done:ident)*] $(#[$meta:meta])* system $name:ident = postgres $postgres:literal sqlite $sqlite:literal; $($rest:tt)*) => {
        $crate::__statements! { @ [$($done)*] [$(#[$meta])*] System $name $postgres, $sqlite; $($rest)* }
    };
    ([$($done:ident)*] $(#[$meta:meta])* system $name:ident = $text:expr; $($rest:tt)*) => {
        $crate::__statements! { @ [$($done)*] [$(#[$meta])*] System $name $text, $text; $($rest)* }
    };
    ([$($done:ident)*] $(#[$meta:meta])* either $name:ident = $text:expr; $($rest:tt)*) => {
        $crate::__statements! { @ [$($done)*] [$(#[$meta])*] Either $name $text, $text; $($rest)* }
    };
    ([$($done:ident)*] $(#[$meta:meta])* $name:ident = postgres $postgres:literal sqlite $sqlite:literal; $($rest:tt)*) => {
        $crate::__statements! { @ [$($done)*] [$(#[$meta])*] Tenant $name $postgres, $sqlite; $($rest)* }
    };
    ([$($done:ident)*] $(#[$meta:meta])* $name:ident = $text:expr; $($rest:tt)*) => {
        $crate::__statements! { @ [$($done)*] [$(#[$meta])*] Tenant $name $text, $text; $($rest)* }
    };
    (@ [$($done:ident)*] [$(#[$meta:meta])*] $authority:ident $name:ident $postgres:expr, $sqlite:expr; $($rest:tt)*) => {
        $(#[$meta])*
        pub(crate) static $name: $crate::Statement =
            $crate::Statement::new(stringify!($name), $crate::Authority::$authority, $postgres, $sqlite);
        $crate::__statements! { [$($done)* $name] $($rest)* }
    };
}
