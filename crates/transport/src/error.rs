//! What keeps a client or server from being set up.

use std::path::PathBuf;

use tokio_rustls::rustls::{self, pki_types::pem};
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
    /// TLS to a server outside of the mesh cannot be set up, or a certificate of its authorities cannot be used.
    #[error("TLS to the server cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The authorities that prove a server outside of the mesh cannot be read.
    #[error("the authorities in {} cannot be read", file.display())]
    Authorities {
        /// Where they are to be.
        file: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// There are none.
    #[error("{} holds no certificate in PEM", file.display())]
    NoAuthority {
        /// Where they are to be.
        file: PathBuf,
    },
}
