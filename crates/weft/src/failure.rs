//! What ends a command, as a sentence and an exit code.

use std::{error::Error, io, path::PathBuf, process::ExitCode};

use uuid::Uuid;
use weft_config::ConfigError;
use weft_edge::EdgeError;
use weft_mesh::StartError;
use weft_reload::AgentError;
use weft_store::{StoreError, backup::BackupError, copy::CopyError};
use weft_telemetry::TelemetryError;
use weft_transport::TransportError;

use crate::{admin_port::Unanswered, certificates::CertificatesError, new::NewError, probe::ProbeError};

/// `EX_USAGE` of sysexits.
const USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits.
const CONFIG: u8 = 78;

/// What ends a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{problem} (`{program} --help` says more)")]
    Usage { problem: String, program: String },
    #[error("there is no domain {name:?} in this binary, which has {known}")]
    DomainUnknown { name: String, known: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("edge.certificate_file and edge.key_file: set both or neither")]
    EdgeCertificateAlone,
    #[error("the edge has nothing to serve: no domain is in this process, and mesh.upstreams names none")]
    NothingToServe,
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("the API cannot be described: {0}")]
    Description(#[from] weft_openapi::OpenApiError),
    #[error("redis.url cannot be used: {0}")]
    Counters(#[from] weft_cache::CacheError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the migrations of {domain}")]
    Migrations { domain: &'static str, source: StoreError },
    #[error("the records of {domain}")]
    Records { domain: &'static str, source: weft_mesh::Error },
    #[error("the records of {domain}")]
    Backup { domain: &'static str, source: BackupError },
    #[error("the files in {} cannot be copied", folder.display())]
    Files { folder: PathBuf, source: io::Error },
    #[error("nothing was copied")]
    Copy(#[from] CopyError),
    #[error("the value of --to is no address such as postgres://USER@HOST/NAME")]
    CopyToInvalid,
    #[error("there is nowhere to copy to: give --to, or set database.url")]
    CopyToNowhere,
    #[error("the servers are to be at http:// or at https://, and not at both")]
    UpstreamsMixed,
    #[error("--upstream-ca is for a server at https://")]
    UpstreamCaAlone,
    #[error("{domain} has no saga {id}, or none that is stuck")]
    SagaUnknown { domain: &'static str, id: Uuid },
    #[error("{count} migrations are pending: run `{program} migrate`")]
    Pending { count: usize, program: String },
    #[error("what is BAD above keeps weft from working: {count}")]
    Unwell { count: usize },
    #[error("no process tells what it does: start one, or name its admin port by --admin: {0}")]
    NoMetrics(#[source] Unanswered),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error(transparent)]
    New(#[from] NewError),
    #[error("the process cannot start its threads or hear signals")]
    Process(#[source] io::Error),
    #[error("the policies cannot be written as YAML: {0}")]
    Policy(serde_saphyr::ser::Error),
    #[error("the manual cannot be written to {}", folder.display())]
    Manual { folder: PathBuf, source: io::Error },
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

impl Failure {
    /// The failure and its causes on one line.
    pub(crate) fn sentence(&self) -> String {
        sentence(self)
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. }
            | Self::DomainUnknown { .. }
            | Self::CopyToInvalid
            | Self::UpstreamsMixed
            | Self::UpstreamCaAlone => ExitCode::from(USAGE),
            Self::Config(_)
            | Self::CopyToNowhere
            | Self::Agent(AgentError::Settings(_) | AgentError::CertificateAlone)
            | Self::NothingToServe
            | Self::EdgeCertificateAlone
            | Self::Edge(EdgeError::Tls(_))
            | Self::Telemetry(TelemetryError::Level { .. } | TelemetryError::SampleRatio(_) | TelemetryError::Endpoint(_))
            | Self::Start(
                StartError::Config(_)
                | StartError::Consul(_)
                | StartError::Agent(_)
                | StartError::TwoRegistries
                | StartError::BucketKeys(_)
                | StartError::EventsInProcess { .. }
                | StartError::CertificatesFromNowhere
                | StartError::UpstreamUnknown { .. }
                | StartError::CallerRule(_),
            ) => ExitCode::from(CONFIG),
            _ => ExitCode::FAILURE,
        }
    }

    /// True if nobody reads the output any more, as in `weft routes | head`.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// An error and its causes on one line.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors tell their cause themselves.
        if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = error.source();
    }
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_one_line_and_tells_each_cause_once() {
        let failure = Failure::Output(io::Error::other("disk\nfull"));
        assert_eq!(failure.sentence(), "the output cannot be written: disk full");
        let listen = StartError::Listen {
            what: "orders".to_owned(),
            address: ([127, 0, 0, 1], 8091).into(),
            setting: "mesh.ports.orders".to_owned(),
            source: io::Error::other("in use"),
        };
        assert_eq!(
            Failure::from(listen).sentence(),
            "orders cannot listen on 127.0.0.1:8091: in use (setting mesh.ports.orders)"
        );
    }
}
