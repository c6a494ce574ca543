//! A throw-away Consul agent for tests.
//!
//! [`Agent::start`] gives a test an agent of its own: a development server that keeps everything in
//! memory, on private ports. It can be stopped and started again at the same ports, with its memory
//! lost. It ends with the test process, however that ends. A machine without Consul fails the test
//! with the command that installs it; `WEFT_TEST_CONSUL=/path/to/consul` names another program.

mod ports;
mod process;
mod request;

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use weft_test_ports::TestPortsError;

use ports::Ports;
use process::Process;

/// How long an agent may take until it has elected itself.
const START_LIMIT: Duration = Duration::from_secs(30);

// The agent runs in its folder.
const CHAIN: &str = "agent.pem";
const KEY: &str = "agent.key";
const AUTHORITY: &str = "authority.pem";

/// Why there is no agent for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestConsulError {
    /// Consul is not installed.
    #[error("this test needs Consul; install it with: bash build-support/tools.sh consul")]
    NotInstalled,
    /// The folder for the agent could not be made or written to.
    #[error("the agent's folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// There are no free ports.
    #[error("no free port")]
    Ports(#[from] TestPortsError),
    /// The program could not be run.
    #[error("{program:?} cannot be run")]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The agent did not come up in time.
    #[error("the agent was not ready within {START_LIMIT:?}; it said:\n{0}")]
    NotReady(String),
    /// The agent did not do what a test asked of it.
    #[error("the agent was asked to {asked}, and answered: {answer}")]
    Refused {
        /// What it was asked.
        asked: String,
        /// What it said.
        answer: String,
    },
    /// The agent could not be asked.
    #[error("the agent cannot be asked")]
    Ask(#[source] std::io::Error),
    /// An address is none.
    #[error("the agent's address is none")]
    Address(#[from] url::ParseError),
}

/// A certificate and its key for an agent's HTTPS, as PEM texts.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// The chain.
    pub chain: &'a str,
    /// The private key.
    pub key: &'a str,
}

/// An agent that runs, or was stopped. It ends when it is dropped.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    folder: TempDir,
    ports: Ports,
    token: Option<String>,
    process: Option<Process>,
}

impl Agent {
    /// Without access control or TLS. Blocks until the agent answers.
    pub fn start() -> Result<Self, TestConsulError> {
        Self::started(json!({}), &[])
    }

    /// Everything is denied but to those who show `token`.
    pub fn with_token(token: &str) -> Result<Self, TestConsulError> {
        let tokens = json!({"master": token, "agent": token});
        let mut agent = Self::started(json!({"acl": {"enabled": true, "default_policy": "deny", "tokens": tokens}}), &[])?;
        agent.token = Some(token.to_owned());
        Ok(agent)
    }

    /// Speaks HTTPS beside HTTP; see [`Agent::https`].
    pub fn with_tls(certificate: Certificate<'_>) -> Result<Self, TestConsulError> {
        let files = [(CHAIN, certificate.chain), (KEY, certificate.key)];
        Self::started(json!({"cert_file": CHAIN, "key_file": KEY}), &files)
    }

    /// The same, to those only who show a certificate by `authority`, a PEM text.
    pub fn with_mutual_tls(certificate: Certificate<'_>, authority: &str) -> Result<Self, TestConsulError> {
        let settings = json!({"cert_file": CHAIN, "key_file": KEY, "ca_file": AUTHORITY, "verify_incoming_https": true});
        Self::started(settings, &[(CHAIN, certificate.chain), (KEY, certificate.key), (AUTHORITY, authority)])
    }

    fn started(mut settings: Value, files: &[(&str, &str)]) -> Result<Self, TestConsulError> {
        let program = process::program()?;
        let folder = tempfile::Builder::new().prefix("weft-consul-").tempdir().map_err(TestConsulError::Folder)?;
        let ports = Ports::free()?;
        settings["ports"] = ports.configuration();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).map_err(TestConsulError::Folder);
        write("agent.json", &settings.to_string())?;
        for (name, text) in files {
            write(name, text)?;
        }
        let mut agent = Self { program, folder, ports, token: None, process: None };
        agent.restart()?;
        Ok(agent)
    }

    /// Starts it again at the same ports; it remembers nothing. Blocks until the agent answers.
    pub fn restart(&mut self) -> Result<(), TestConsulError> {
        self.stop();
        self.process = Some(Process::start(&self.program, self.folder.path(), &self.ports, START_LIMIT)?);
        Ok(())
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its address over plain HTTP.
    pub fn http(&self) -> Result<Url, TestConsulError> {
        Ok(Url::parse(&format!("http://127.0.0.1:{}", self.ports.http))?)
    }

    /// Its address over HTTPS, by the name that its certificate should have.
    pub fn https(&self) -> Result<Url, TestConsulError> {
        Ok(Url::parse(&format!("https://localhost:{}", self.ports.https))?)
    }

    /// Where it answers DNS queries for `<domain>.service.consul.`.
    pub fn dns(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.dns))
    }

    /// Creates an intention, `allow` or `deny`, and gives its id.
    pub fn intend(&self, source: &str, destination: &str, action: &str) -> Result<String, TestConsulError> {
        let intention = json!({"SourceName": source, "DestinationName": destination, "SourceType": "consul", "Action": action});
        let answer = self.ask("POST", "/v1/connect/intentions", &intention.to_string())?;
        let created: Option<Value> = serde_json::from_str(&answer).ok();
        let id = created.as_ref().and_then(|created| created["ID"].as_str()).map(str::to_owned);
        id.ok_or_else(|| TestConsulError::Refused { asked: format!("{action} {source} > {destination}"), answer })
    }

    /// Deletes an intention.
    pub fn forget_intention(&self, id: &str) -> Result<(), TestConsulError> {
        self.ask("DELETE", &format!("/v1/connect/intentions/{id}"), "").map(drop)
    }

    /// What it answers to a request over plain HTTP, with its token if it has one. Blocks.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<String, TestConsulError> {
        request::ask(self.ports.http, self.token.as_deref(), method, path, body)
    }
}
