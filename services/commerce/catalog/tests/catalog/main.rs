//! The catalog through its contract, in a whole mesh, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod deleting;
mod given;
mod listing;
mod products;
mod undeleting;
mod updating;
mod variants;
