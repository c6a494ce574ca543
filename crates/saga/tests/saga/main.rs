//! Whatever dies, a saga is done or undone, each effect once; on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod crashing;
mod given;
mod undoing;
