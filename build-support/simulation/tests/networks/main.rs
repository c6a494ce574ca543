//! What the simulation itself must be: the same each time, and able to see what it looks for.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod determinism;
mod sabotages;

use std::sync::Arc;

use tempfile::TempDir;
use weft_simulation::{Sabotage, Verdict, run};
use weft_workload_identity::{CertificateSource, DevelopmentCa};

/// Runs a seed under an authority of its own.
fn verdict(seed: u64, sabotage: Option<Sabotage>) -> Verdict {
    let folder = TempDir::new().unwrap();
    let authority = DevelopmentCa::open(&folder.path().join("ca"), "simulation.local".parse().unwrap()).unwrap();
    let certificates: Arc<dyn CertificateSource> = Arc::new(authority);
    run(seed, sabotage, &certificates)
}
