//! Orders through their contract, together with the catalog, in a whole mesh, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod cancelling;
mod given;
mod listing;
mod outage;
mod placing;
mod repeating;
mod seeking;
