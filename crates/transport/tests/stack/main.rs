//! Both stacks against each other, over real connections and mutual TLS: limits, streams, the ages of
//! connections.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod connections;
mod given;
mod half_open;
mod overload;
mod streams;
