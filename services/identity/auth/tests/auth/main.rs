//! Auth through its contract, in a whole mesh, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accounts;
mod api_keys;
mod audit;
mod avatars;
mod erasure;
mod first_administrator;
mod given;
mod passwords;
mod roles;
mod sessions;
mod tokens;
