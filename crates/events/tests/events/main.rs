//! Events from the transaction that causes them to the one that handles them: on both databases, by
//! every carrier.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod given;

mod flowing;
mod keeping;
mod killing;
mod parking;
mod redis;
mod relaying;
mod taking_over;
