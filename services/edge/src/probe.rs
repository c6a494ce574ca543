//! Asking an edge, as its clients do, whether it serves: `grpc.health.v1` over HTTP/2 without TLS.

use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Why an edge is not taken to serve.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The address is none, or nobody answers there.
    #[error("{url} is not reached")]
    Unreached {
        /// The address.
        url: String,
        /// What went wrong.
        source: tonic::transport::Error,
    },
    /// It answers with an error.
    #[error("{url} does not tell: {} ({:?})", source.message(), source.code())]
    Untold {
        /// The address.
        url: String,
        /// The error.
        source: Box<tonic::Status>,
    },
    /// It says that it does not serve: a domain behind it does not.
    #[error("{url} says that it does not serve: a domain behind it is missing or not ready")]
    NotServing {
        /// The address.
        url: String,
    },
}

/// Ends well if the edge at `url` (`http://host:port`), and every domain behind it, serves. Asks once, for `patience` at most.
pub async fn probe(url: &str, patience: Duration) -> Result<(), ProbeError> {
    let unreached = |source| ProbeError::Unreached { url: url.to_owned(), source };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(unreached)?.connect_timeout(patience).timeout(patience);
    let channel = endpoint.connect().await.map_err(unreached)?;
    let asked = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    let answer = asked.map_err(|source| ProbeError::Untold { url: url.to_owned(), source: Box::new(source) })?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown => {
            Err(ProbeError::NotServing { url: url.to_owned() })
        }
    }
}
