//! Every behaviour in process and in Redis, and what happens when Redis is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod caching;
mod counting;
mod ephemeral;
mod given;
mod marking;
mod outages;
mod single_flight;
mod stale_writes;
mod trust;
