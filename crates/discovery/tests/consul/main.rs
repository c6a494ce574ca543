//! Discovery against a real Consul agent.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod given;
mod instances;
mod outages;
