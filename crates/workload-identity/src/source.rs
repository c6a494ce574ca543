//! Where certificates come from: the trait that the development CA, mounted files and Consul implement.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::IdentityError;
use crate::identity::Identity;
use crate::names::WorkloadName;
use crate::roots::Roots;

/// Gives out the current certificate of each workload in this process, and the roots that peers' certificates must chain
/// to.
///
/// Both methods are called at every handshake, so an implementation answers from a snapshot in memory and swaps the
/// snapshot when it rotates. A connection lives on with the certificate it was opened with; new ones get the new.
pub trait CertificateSource: fmt::Debug + Send + Sync + 'static {
    /// The current certificate and key of a workload.
    ///
    /// Fails with [`IdentityError::UnknownWorkload`] when this process does not hold that workload.
    fn identity(&self, workload: &WorkloadName) -> Result<Arc<Identity>, IdentityError>;

    /// Who may vouch for peers, now.
    fn roots(&self) -> Arc<Roots>;

    /// When the first of the certificates held now ceases to be valid; nothing while none is held.
    ///
    /// A source that renews keeps this in the future: one that comes near is worth an alarm.
    fn next_expiry(&self) -> Option<SystemTime>;

    /// Whether what is held cannot be renewed now, because whoever gives it does not answer or gives nothing usable.
    /// A source that always can says false.
    fn is_stale(&self) -> bool {
        false
    }
}
