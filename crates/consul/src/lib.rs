//! Requests to a Consul agent: what discovery and workload identity ask it for goes through one [`Client`].
//!
//! Problem: an agent is asked for much, by paths that differ, and each answer may be late, too large or a refusal. Rule:
//! every request has a limit of time and every answer one of size; what the agent holds is followed by blocking queries
//! (Consul's API documentation, "Blocking Queries"), whose place in the agent's history a [`Cursor`] keeps. Recovery: an error says which of these it was; asking again is the
//! caller's affair.

mod client;
mod cursor;
mod error;
mod tls;
mod token;

use std::path::PathBuf;

use url::Url;

pub use client::{Answer, Client, Key};
pub use cursor::Cursor;
pub use error::ConsulError;
pub use token::Token;

/// How an agent is reached.
#[derive(Clone, Debug)]
pub struct ConsulSettings {
    /// Its address: `http://127.0.0.1:8500`.
    pub address: Url,
    /// The ACL token. It travels as readable as everything else unless the address is https.
    pub token: Token,
    /// The PEM file of the authority that signed the agent's certificate; an https address needs it.
    pub ca_file: Option<PathBuf>,
    /// What is shown to an agent that asks for a certificate.
    pub certificate: Option<ClientCertificate>,
}

/// A certificate that this process shows, and its key. Both are read when a [`Client`] is made.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The PEM file of the certificate, and of those that lead to the authority.
    pub chain_file: PathBuf,
    /// The PEM file of the key.
    pub key_file: PathBuf,
}

impl ConsulSettings {
    /// An agent that asks for neither token nor certificate.
    pub fn new(address: Url) -> Self {
        Self { address, token: Token::default(), ca_file: None, certificate: None }
    }
}
