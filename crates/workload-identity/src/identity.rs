//! A workload's own certificate and key.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;

use crate::error::IdentityError;
use crate::names::WorkloadName;
use crate::peer::{self, Leaf, Usage};
use crate::roots::Roots;
use crate::spiffe::SpiffeId;

/// The certificate chain and private key by which one workload proves itself.
///
/// It exists only if a peer would accept it when it was made. The key never leaves it and is not shown by `Debug`.
pub struct Identity {
    leaf: Leaf,
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Puts a chain (the workload's certificate first) and its key together, and checks them as peers will.
    ///
    /// Fails when the chain is empty, leads to none of the roots, is expired at `now` or is no X.509-SVID
    /// ([`IdentityError::Certificate`]), or when the key is of no supported kind or not the certificate's
    /// ([`IdentityError::Key`]).
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        roots: &Roots,
        now: UnixTime,
    ) -> Result<Self, IdentityError> {
        let (end_entity, intermediates) = chain.split_first().ok_or(IdentityError::EmptyChain)?;
        peer::verify_chain(roots, end_entity, intermediates, Usage::Server, now)?;
        let leaf = peer::verify_chain(roots, end_entity, intermediates, Usage::Client, now)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(IdentityError::Key)?;
        Ok(Self { leaf, certified: Arc::new(certified) })
    }

    /// The id in the certificate.
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.leaf.peer.spiffe_id
    }

    /// The logical name of the workload.
    pub fn workload(&self) -> &WorkloadName {
        &self.leaf.peer.workload
    }

    /// The certificates to show: the workload's own first, then intermediates. The root is not among them.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// When the certificate begins to be valid.
    pub fn not_before(&self) -> SystemTime {
        self.leaf.not_before
    }

    /// When the certificate ceases to be valid.
    pub fn not_after(&self) -> SystemTime {
        self.leaf.not_after
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("spiffe_id", &self.leaf.peer.spiffe_id.as_str())
            .field("not_after", &self.leaf.not_after)
            .finish_non_exhaustive()
    }
}
