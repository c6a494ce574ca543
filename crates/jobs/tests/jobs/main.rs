//! Every job runs once, whoever sleeps, dies or wakes up late; on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod given;

mod missed;
mod replicas;
