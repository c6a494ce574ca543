//! What can go wrong with one's own identity. What is wrong with a peer's is [`PeerError`].

use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;
use weft_consul::ConsulError;

use crate::names::{WorkloadName, WorkloadNameError};
use crate::peer::PeerError;
use crate::spiffe::{SpiffeIdError, TrustDomain};

/// Why a workload's own identity, or the roots it trusts, cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file or folder cannot be read, written or locked.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, `lock`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A private key, or the folder that holds it, is open to other users.
    #[error(
        "{} is open to other users (mode {mode:04o}, not {allowed:04o}): run `chmod {allowed:o} {}`, and replace the key if \
         anyone may have read it",
        path.display(), path.display()
    )]
    LooseMode {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The widest permission bits that are accepted.
        allowed: u32,
    },
    /// A file is not the PEM it should be.
    #[error("{} holds no usable {what}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for: `certificate`, `private key`.
        what: &'static str,
        /// What the parser answered.
        source: pem::Error,
    },
    /// A file of certificates holds none.
    #[error("{} holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// A chain of certificates is empty.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// A certificate cannot serve as a root of trust.
    #[error("the root certificate is not usable: {0}")]
    Root(webpki::Error),
    /// A private key is of no supported kind or does not belong to its certificate.
    #[error("the private key is not usable with its certificate: {0}")]
    Key(rustls::Error),
    /// Peers would refuse the workload's own certificate.
    #[error("peers would refuse the certificate: {0}")]
    Certificate(#[from] PeerError),
    /// A certificate names another workload than the one it is kept for.
    #[error("the certificate kept for {wanted} is {found}'s")]
    OtherWorkload {
        /// Whose certificate was asked for.
        wanted: WorkloadName,
        /// Whom the certificate names.
        found: WorkloadName,
    },
    /// The source has no certificate for a workload.
    #[error("there is no certificate for {0}")]
    UnknownWorkload(WorkloadName),
    /// A folder is named after no workload.
    #[error("{}: {source}", path.display())]
    FolderName {
        /// The folder.
        path: PathBuf,
        /// What is wrong with its name.
        source: WorkloadNameError,
    },
    /// A folder of the development CA belongs to another trust domain, or its parts do not belong together.
    #[error("{} is not the key and certificate of a development CA for {trust_domain}: {reason}; remove the folder to start anew", path.display())]
    DevelopmentCa {
        /// The CA's certificate.
        path: PathBuf,
        /// The trust domain that was asked for.
        trust_domain: TrustDomain,
        /// What does not fit.
        reason: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot issue a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    /// A workload's id would not be a valid SPIFFE id.
    #[error("cannot name the workload: {0}")]
    Id(#[from] SpiffeIdError),
    /// The Consul agent cannot be asked.
    #[error("no certificates from Consul: {0}")]
    Consul(#[from] ConsulError),
    /// The Consul cluster has not made its authority yet, or is not to have one.
    #[error("Consul has no certificate authority (yet): is connect.enabled set in its servers' configuration?")]
    ConsulAuthority,
    /// What the Consul agent gave is not the PEM it should be.
    #[error("Consul gave no usable {what}: {source}")]
    ConsulPem {
        /// What it should be: `certificate`, `private key`, `root certificate`.
        what: &'static str,
        /// What the parser answered.
        source: pem::Error,
    },
    /// The Consul cluster's trust domain is none.
    #[error("the trust domain of the Consul cluster is none: {0}")]
    ConsulTrustDomain(SpiffeIdError),
    /// The key can sign in no scheme that verifiers accept.
    #[error("the workload's key supports no accepted signature scheme")]
    NoSignatureScheme,
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Sign(rustls::Error),
    /// A TLS configuration could not be built.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
    /// The clock gave no time.
    #[error("the clock gave no time")]
    NoTime,
}
