//! Who may call, changed while calls, streams and connections are open.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the times are what is proven")]

mod audit_only;
mod connections;
mod given;
mod intentions;
mod settings;
