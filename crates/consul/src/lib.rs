//! Requests to a Consul agent: what discovery and workload identity ask it for goes through one [`Client`].
//!
//! Problem: an agent is asked for much, by paths that differ, and each answer may be late, too large or a refusal. Rule:
//! every request has a limit of time and every answer one of size; what the agent holds is followed by blocking queries
//! (Consul's API documentation, "Blocking Queries"), whose place in the agent's history a [`Cursor`] keeps. Recovery: an error says which of these it was; asking again is the
//! caller's affair.

mod client;
mod cursor;
mod error;

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

pub use client::{Answer, Client};
pub use cursor::Cursor;
pub use error::ConsulError;

/// How an agent is reached.
#[derive(Clone, Debug)]
pub struct ConsulSettings {
    /// Its address: `http://127.0.0.1:8500`.
    pub address: Url,
    /// The ACL token: `service:write` for the domains of this process, `service:read` and `node:read`
    /// for those that they call. It travels as readable as everything else unless the address is
    /// https.
    pub token: Option<SecretString>,
    /// The PEM file of the authority that signed the agent's certificate; an https address needs it.
    pub ca_file: Option<PathBuf>,
}
