//! Every behaviour in process, in Redis and in a cluster of it, and what happens when Redis is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod caching;
mod counting;
mod ephemeral;
mod given;
mod marking;
mod outages;
mod single_flight;
mod stale_writes;
mod successors;
mod trust;
