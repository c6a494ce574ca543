//! What a domain keeps: its migrations and its statements.

use sqlx::migrate::{Migration, Migrator};

use crate::{Statement, StoreError};

/// Longest name of a domain or part, so that the identifiers made of it fit PostgreSQL's 63 bytes.
const NAME_LIMIT: usize = 32;

/// The migrations of a part. [`crate::migrations!`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// For both databases.
    pub shared: &'static Migrator,
    /// For PostgreSQL alone, in one order of versions with the shared ones.
    pub postgres: Option<&'static Migrator>,
}

/// Embeds the folder `migrations` of the calling crate: files `0001_what.sql`, run in the order of
/// their numbers on both databases. `migrations!(postgres)` embeds `migrations/postgres` as well,
/// which only PostgreSQL runs; a number stands in one of the two folders.
///
/// The calling crate depends on `sqlx`.
#[macro_export]
macro_rules! migrations {
    () => {{
        static SHARED: $crate::sqlx::migrate::Migrator = $crate::sqlx::migrate!("./migrations");
        $crate::Migrations { shared: &SHARED, postgres: None }
    }};
    (postgres) => {{
        static SHARED: $crate::sqlx::migrate::Migrator = $crate::sqlx::migrate!("./migrations");
        static POSTGRES: $crate::sqlx::migrate::Migrator = $crate::sqlx::migrate!("./migrations/postgres");
        $crate::Migrations { shared: &SHARED, postgres: Some(&POSTGRES) }
    }};
}

/// A set of tables with a history of its own: a domain's, or what a room of the mesh keeps beside it.
#[derive(Clone, Debug)]
pub struct SchemaPart {
    name: &'static str,
    migrations: Option<Migrations>,
    statements: Vec<&'static [&'static Statement]>,
}

impl SchemaPart {
    /// A part without tables. The name is `[a-z][a-z0-9_]*`, at most 32 bytes.
    pub const fn new(name: &'static str) -> Self {
        Self { name, migrations: None, statements: Vec::new() }
    }

    /// With its migrations.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations = Some(migrations);
        self
    }

    /// With a table of statements; may be called for several modules.
    #[must_use]
    pub fn statements(mut self, statements: &'static [&'static Statement]) -> Self {
        self.statements.push(statements);
        self
    }

    /// The table that records which of its migrations are applied.
    pub(crate) fn history(&self) -> String {
        format!("{}{}", Self::HISTORY_PREFIX, self.name)
    }

    pub(crate) const HISTORY_PREFIX: &str = "weft_migrations_";

    /// The migrations for one database, in order.
    pub(crate) fn ordered(&self, postgres: bool) -> Result<Vec<Migration>, StoreError> {
        let Some(migrations) = self.migrations else { return Ok(Vec::new()) };
        let extra = migrations.postgres.filter(|_| postgres);
        let all = migrations.shared.iter().chain(extra.into_iter().flat_map(Migrator::iter));
        // Migrations only ever go on: a way back that loses rows is no way back.
        let mut all: Vec<_> = all.filter(|migration| !migration.migration_type.is_down_migration()).cloned().collect();
        all.sort_by_key(|migration| migration.version);
        match all.windows(2).find(|pair| pair[0].version == pair[1].version) {
            Some(pair) => Err(StoreError::MigrationTwice { part: self.name, version: pair[0].version }),
            None => Ok(all),
        }
    }

    /// As people are told of a migration: `orders/0002_totals`.
    pub(crate) fn label(&self, migration: &Migration) -> String {
        format!("{}/{:04}_{}", self.name, migration.version, migration.description.replace(' ', "_"))
    }
}

/// Everything that a domain keeps: the store's own part first, those of other rooms, its own last.
#[derive(Clone, Debug)]
pub struct DomainSchema {
    domain: &'static str,
    rooms: Vec<SchemaPart>,
    own: SchemaPart,
}

impl DomainSchema {
    /// A domain without tables. The name is `[a-z][a-z0-9_]*`, at most 32 bytes.
    pub fn new(domain: &'static str) -> Self {
        Self { domain, rooms: vec![own_part()], own: SchemaPart::new(domain) }
    }

    /// With the domain's migrations.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.own = self.own.migrations(migrations);
        self
    }

    /// With a table of the domain's statements; may be called for several modules.
    #[must_use]
    pub fn statements(mut self, statements: &'static [&'static Statement]) -> Self {
        self.own = self.own.statements(statements);
        self
    }

    /// With what another room of the mesh keeps in the domain's database.
    #[must_use]
    pub fn part(mut self, part: SchemaPart) -> Self {
        self.rooms.push(part);
        self
    }

    /// The domain's name.
    pub fn domain(&self) -> &'static str {
        self.domain
    }

    /// Every statement of every part.
    pub fn all_statements(&self) -> impl Iterator<Item = &'static Statement> {
        self.parts().flat_map(|part| part.statements.iter().flat_map(|table| table.iter().copied()))
    }

    /// How many migrations one database has.
    pub(crate) fn migration_count(&self, postgres: bool) -> Result<usize, StoreError> {
        self.parts().map(|part| part.ordered(postgres).map(|migrations| migrations.len())).sum()
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &SchemaPart> {
        self.rooms.iter().chain([&self.own])
    }

    /// Names become identifiers in SQL and file names, so they are checked and never quoted.
    pub(crate) fn check_names(&self) -> Result<(), StoreError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let names: Vec<_> = self.parts().map(|part| part.name).collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(StoreError::NameTaken { name });
            }
            if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.len() > NAME_LIMIT || !name.bytes().all(plain)
            {
                return Err(StoreError::NameInvalid { name });
            }
        }
        Ok(())
    }
}

/// What the store keeps for itself.
fn own_part() -> SchemaPart {
    SchemaPart::new("weft")
        .migrations(migrations!())
        .statements(crate::audit::STATEMENTS)
        .statements(crate::erase::STATEMENTS)
        .statements(crate::fence::STATEMENTS)
        .statements(crate::idempotency::STATEMENTS)
        .statements(crate::outbox::STATEMENTS)
        .statements(crate::page::STATEMENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_plain_identifier_is_refused() {
        assert!(DomainSchema::new("orders_2").check_names().is_ok());
        assert!(DomainSchema::new("weft").check_names().is_err(), "the store's own part has this name");
        for bad in ["", "Orders", "2orders", "a-b", "a\"; DROP", "é", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert!(DomainSchema::new(bad).check_names().is_err(), "{bad:?}");
        }
    }
}
