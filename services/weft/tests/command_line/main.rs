//! The binary as people and supervisors meet it: commands, sentences, exit codes, signals.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod certificates;
mod chart;
mod copying;
mod discovery;
mod doctor;
mod events;
mod given;
mod graph;
mod metrics;
mod migrating;
mod openapi;
mod probing;
mod refusals;
mod reloading;
mod routes;
mod running;
mod top;
