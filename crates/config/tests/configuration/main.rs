//! The configuration from outside: layers, mistakes, secrets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
mod given;
mod layers;
mod mistakes;
mod places;
mod secrets;
