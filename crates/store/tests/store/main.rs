//! Every behaviour of the store, on PostgreSQL and on SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

mod backup;
mod cancellation;
mod copy;
mod keyed;
mod measure;
mod migrations;
mod opening;
mod outbox;
mod pooler;
mod replica;
mod rotation;
mod seeking;
mod statements;
mod tenancy;
mod transport_security;
mod values;
mod writes;
