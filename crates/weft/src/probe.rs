//! `probe`: whether a running weft serves, for those who can only run a command and look at its exit code: health checks of
//! containers, tests of a chart.

use std::time::Duration;

use http::StatusCode;
use url::Url;
use weft_config::Config;
use weft_discovery::Endpoint;

use crate::{
    admin_port::{self, Answer, Unanswered},
    failure::Failure,
    process,
};

/// How long an edge may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a process is not taken to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("the process of this configuration (setting admin.port) does not tell: {0}")]
    Unanswered(#[from] Unanswered),
    #[error("the process at {admin} is not ready ({status}): {answer}")]
    NotReady { admin: Endpoint, status: StatusCode, answer: String },
    #[error(transparent)]
    Edge(#[from] weft_edge::ProbeError),
}

/// Asks the edge at this address for all its domains, or else the process of this configuration for itself.
pub(crate) fn run(config: &Config, edge: Option<&Url>) -> Result<(), Failure> {
    let told = process::bare(async {
        match edge {
            Some(edge) => weft_edge::probe(edge.as_str(), PATIENCE).await.map_err(ProbeError::from),
            None => ready(admin_port::own(config)).await,
        }
    })?;
    told.map_err(Failure::from)
}

/// `/ready` of the admin port.
async fn ready(admin: Endpoint) -> Result<(), ProbeError> {
    let Answer { status, text } = admin_port::get(&admin, "/ready").await?;
    if status.is_success() { Ok(()) } else { Err(ProbeError::NotReady { admin, status, answer: text }) }
}
