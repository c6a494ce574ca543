//! What is measured.

pub(crate) mod held;
pub(crate) mod latency;
pub(crate) mod throughput;
