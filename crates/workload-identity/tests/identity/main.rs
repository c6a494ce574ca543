//! Workload identity from outside: handshakes over loopback, folders on disk, signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authority;
mod development_ca;
mod file_source;
mod handshake;
mod mutual_tls;
mod rotation;
mod signatures;
