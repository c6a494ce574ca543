//! Every behaviour in a folder and in a bucket of a real server that speaks S3.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bucket;
mod given;
mod keeping;
mod links;
mod refusing;
mod tenants;
