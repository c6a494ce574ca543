//! Applies migrations, under another role than the one that serves.
//!
//! Each part of a domain's schema has a history of its own. A version that the history has and the
//! code has not is left alone: during a rollout the old code starts beside the new.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::collections::BTreeSet;

use ring::rand::{SecureRandom, SystemRandom};
use sqlx::migrate::{MigrateError, Migrator};

use crate::{StoreError, schema::SchemaPart};

/// Makes the key that seals page tokens, once.
const ADD_SECRET: &str = "INSERT INTO weft_secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";

fn migrator(part: &SchemaPart, postgres: bool) -> Result<Migrator, StoreError> {
    let mut migrator = Migrator::with_migrations(part.ordered(postgres)?);
    // Each database has its own way of taking turns.
    migrator.set_locking(false).set_ignore_missing(true).dangerous_set_table_name(part.history());
    Ok(migrator)
}

fn failed(domain: &'static str) -> impl FnOnce(MigrateError) -> StoreError {
    move |source| StoreError::Migration { domain, source: Box::new(source) }
}

fn set_up(domain: &'static str, step: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Setup { domain, step, source }
}

fn fresh_secret() -> Result<Vec<u8>, StoreError> {
    let mut secret = vec![0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| StoreError::NoRandomness)?;
    Ok(secret)
}

/// The labels of a part's migrations whose versions are not in `applied`.
fn missing(part: &SchemaPart, postgres: bool, applied: &[i64]) -> Result<Vec<String>, StoreError> {
    let applied: BTreeSet<_> = applied.iter().collect();
    let all = part.ordered(postgres)?;
    Ok(all.iter().filter(|migration| !applied.contains(&migration.version)).map(|migration| part.label(migration)).collect())
}
