//! Workload identity from outside: handshakes over loopback, folders on disk, signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authority;
mod consul;
mod development_ca;
mod file_source;
mod handshake;
mod log;
mod mutual_tls;
mod rotation;
mod signatures;

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Longer than anything that is waited for.
const LIMIT: Duration = Duration::from_secs(40);

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(LIMIT, waiting).await.is_ok(), "{what}");
}
