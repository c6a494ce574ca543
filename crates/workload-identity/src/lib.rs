//! Who a workload is: SPIFFE ids, certificate sources, mutual TLS.
//!
//! # Problem
//!
//! Domains call each other, in one process or in thirty pods. Where a call comes from (an address, a DNS name) proves
//! nothing; every call must prove who makes it and who answers it, and the proof must be the same on a laptop and in a
//! cluster.
//!
//! # Rule
//!
//! - Every connection is TLS 1.3 with a certificate on both sides. There is no other mode.
//! - A certificate is an [X.509-SVID]: it chains to the mesh's [`Roots`], carries exactly one URI name, a [`SpiffeId`]
//!   of the mesh's trust domain, and is no authority. DNS names and addresses are never looked at.
//! - A [`NameMap`] turns the id into the logical name of a domain ([`WorkloadName`]): `orders`, `edge`. The rest of weft
//!   knows only that name, so the shape of the ids is the certificate source's own affair.
//! - A [`CertificateSource`] is asked at every handshake: a rotated certificate or root is in use with the next
//!   connection, and nothing is restarted.
//! - The key that proves a workload at a handshake also signs what the workload says to others ([`sign`], [`verify`]),
//!   so trust roots stay the only thing to distribute.
//!
//! # Recovery
//!
//! A source that cannot renew keeps what it has and raises an alarm; [`CertificateSource::next_expiry`] tells how long that
//! will do. A certificate that cannot be had or a peer that cannot be trusted ends the handshake, never weakens it. The errors
//! name the file, the certificate or the id that is at fault.
//!
//! [X.509-SVID]: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md

mod consul;
mod development;
mod error;
mod files;
mod folder;
mod identity;
mod names;
mod peer;
mod roots;
mod signature;
mod source;
mod spiffe;
mod tls;

pub use consul::{ConsulConnect, ConsulService};
pub use development::DevelopmentCa;
pub use error::IdentityError;
pub use files::FileSource;
pub use identity::Identity;
pub use names::{DomainPath, NameMap, WorkloadName, WorkloadNameError};
pub use peer::{PeerError, PeerIdentity, peer_identity};
pub use roots::Roots;
pub use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
pub use signature::{Signature, sign, verify};
pub use source::CertificateSource;
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use tls::{client_config, server_config};
pub use weft_consul::{ConsulError, ConsulSettings, Token};
