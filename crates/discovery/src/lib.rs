//! Where a workload is.
