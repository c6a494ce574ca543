//! What goes wrong between a process and its Consul agent.

use std::{path::PathBuf, time::Duration};

use http::StatusCode;

/// What goes wrong between a process and its Consul agent.
#[derive(Debug, thiserror::Error)]
pub enum ConsulError {
    /// The agent's address cannot be extended by a path.
    #[error("{0} is no address of a Consul agent")]
    Address(url::Url),
    /// The agent is reached by TLS, and nothing says whom to trust.
    #[error("an https agent needs the certificate of the authority that signed the agent's own: set consul.ca_file")]
    AuthorityMissing,
    /// A file of certificates or keys cannot be read.
    #[error("{setting} {path:?} cannot be read: {source}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The file of the authority holds no usable certificate.
    #[error("consul.ca_file {0:?} holds no certificate of an authority")]
    Authority(PathBuf),
    /// What would be shown to the agent is no certificate with its key.
    #[error("consul.certificate_file and consul.key_file cannot be used: {0}")]
    ClientCertificate(#[source] rustls::Error),
    /// The provider of cryptography does not suit.
    #[error("TLS to the agent cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The token holds what no HTTP header may hold.
    #[error("consul.token holds characters that no header may hold")]
    Token,
    /// What is under a key is no text.
    #[error("what the key {key:?} holds is no text")]
    NotText {
        /// The key.
        key: String,
    },
    /// A request could not be written down.
    #[error("a request to the agent cannot be built: {0}")]
    Request(#[from] http::Error),
    /// The agent cannot be reached.
    #[error("the agent cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// The agent broke off or said more than is read.
    #[error("the agent's answer broke off or is larger than {limit} bytes")]
    Answer {
        /// The most that is read.
        limit: usize,
        /// What was wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The agent did not answer in time.
    #[error("the agent did not answer within {0:?}")]
    Late(Duration),
    /// The agent does not do what it was asked.
    #[error("the agent answered {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The first words of its answer.
        reason: String,
    },
    /// The agent's answer is not what Consul documents.
    #[error("the agent's answer cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}
