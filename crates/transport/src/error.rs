//! What keeps a client or server from being set up.

use weft_workload_identity::{IdentityError, WorkloadNameError};

/// What keeps a client or server from being set up. Calls fail with [`weft_call::Error`] instead.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A domain's name cannot be a workload's.
    #[error(transparent)]
    Name(#[from] WorkloadNameError),
    /// The workload has no certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}
