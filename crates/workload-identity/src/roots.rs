//! Who may vouch for a peer.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::error::IdentityError;
use crate::names::NameMap;
use crate::spiffe::TrustDomain;

/// The trust bundle of one trust domain: its authorities' certificates, and how its ids are read.
///
/// Several certificates are held while an authority rotates; any of them vouches.
#[derive(Debug)]
pub struct Roots {
    trust_domain: TrustDomain,
    anchors: Vec<TrustAnchor<'static>>,
    names: Arc<dyn NameMap>,
}

impl Roots {
    /// A bundle of root certificates. They are trusted as they are: nothing but their form is checked.
    ///
    /// Fails with [`IdentityError::EmptyChain`] without a certificate, and with [`IdentityError::Root`] when one cannot be
    /// parsed.
    pub fn new(
        trust_domain: TrustDomain,
        certificates: &[CertificateDer<'_>],
        names: Arc<dyn NameMap>,
    ) -> Result<Self, IdentityError> {
        if certificates.is_empty() {
            return Err(IdentityError::EmptyChain);
        }
        let anchors = certificates
            .iter()
            .map(|certificate| webpki::anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned()))
            .collect::<Result<_, _>>()
            .map_err(IdentityError::Root)?;
        Ok(Self { trust_domain, anchors, names })
    }

    /// The trust domain every id must belong to.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// How this domain's ids are read.
    pub fn names(&self) -> &dyn NameMap {
        self.names.as_ref()
    }

    /// Whether both trust the same: the same trust domain, and the same certificates in the same order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.trust_domain == other.trust_domain && self.anchors == other.anchors
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}
