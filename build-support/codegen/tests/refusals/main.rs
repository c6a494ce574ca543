//! Contracts that do not build, and the sentence that says why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod calls;
mod given;
mod options;
mod routes;
mod rules;
mod shape;
