//! Throw-away NATS, RabbitMQ and Kafka for tests.
//!
//! [`address`] names a server that all tests of a process share: the one of `WEFT_TEST_NATS`,
//! `WEFT_TEST_RABBITMQ` or `WEFT_TEST_KAFKA`, or else one that is started at the first call. Tests keep apart by
//! namespaces. [`Server::start`] gives a test a server of its own, to be killed and started again at the
//! same port with all that it had. Servers end with the test process, however that ends. A machine
//! without one fails the test with the command that installs it.

mod kafka;
mod nats;
mod process;
mod rabbitmq;

use std::{
    env::VarError,
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tempfile::TempDir;
use weft_test_ports::{TestPortsError, free_port};

use process::Process;

/// What carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NATS with JetStream.
    Nats,
    /// RabbitMQ.
    RabbitMq,
    /// Kafka, one node that is broker and controller.
    Kafka,
}

/// Why there is no carrier for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestCarrierError {
    /// It is not installed.
    #[error("this test needs {program}; install it with: bash build-support/tools.sh {tool}")]
    NotInstalled {
        /// What is missing.
        program: &'static str,
        /// What brings it.
        tool: &'static str,
    },
    /// The variable with its address cannot be read.
    #[error("{0} is no text")]
    Address(&'static str),
    /// The folder for the server could not be made or filled.
    #[error("could not make a folder for the server")]
    Folder(#[source] io::Error),
    /// There is no port for it.
    #[error("no port for the server")]
    Port(#[from] TestPortsError),
    /// The server could not be run.
    #[error("{program:?} cannot be run")]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not come up in time.
    #[error("the server was not ready in time; it said:\n{0}")]
    NotReady(String),
    /// The server that all tests share could not be started.
    #[error("the server that the tests share was not started: {0}")]
    Shared(String),
}

impl Kind {
    const fn variable(self) -> &'static str {
        match self {
            Self::Nats => "WEFT_TEST_NATS",
            Self::RabbitMq => "WEFT_TEST_RABBITMQ",
            Self::Kafka => "WEFT_TEST_KAFKA",
        }
    }
}

/// The address of a server that other tests use at the same time.
pub fn address(kind: Kind) -> Result<String, TestCarrierError> {
    static OURS: [OnceLock<Result<Server, TestCarrierError>>; 3] = [const { OnceLock::new() }; 3];
    match std::env::var(kind.variable()) {
        Ok(address) => Ok(address),
        Err(VarError::NotUnicode(_)) => Err(TestCarrierError::Address(kind.variable())),
        Err(VarError::NotPresent) => match OURS[kind as usize].get_or_init(|| Server::start(kind)) {
            Ok(server) => Ok(server.address()),
            // Errors hold sources that cannot be cloned; every test is told the text.
            Err(error) => Err(TestCarrierError::Shared(error.to_string())),
        },
    }
}

/// How a server is run.
struct Plan {
    /// Its program and arguments.
    command: Vec<String>,
    /// What must run beside it, if something must.
    helper: Vec<String>,
    variables: Vec<(&'static str, String)>,
    /// What its log says once it can be used.
    ready: &'static str,
}

/// A server that runs, or was stopped. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: TempDir,
    /// That of its clients, and others that it may use itself.
    ports: [u16; 3],
    process: Option<Process>,
}

impl Server {
    /// Blocks until the server can be used.
    pub fn start(kind: Kind) -> Result<Self, TestCarrierError> {
        let folder = tempfile::Builder::new().prefix("weft-carrier-").tempdir().map_err(TestCarrierError::Folder)?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let mut server = Self { kind, folder, ports, process: None };
        server.restart()?;
        Ok(server)
    }

    /// Kills it and starts it again at the same port, with what it has written. Blocks until it can be used.
    pub fn restart(&mut self) -> Result<(), TestCarrierError> {
        self.kill();
        let (folder, ports) = (self.folder.path(), self.ports);
        let plan = match self.kind {
            Kind::Nats => nats::plan(folder, ports),
            Kind::RabbitMq => rabbitmq::plan(folder, ports),
            Kind::Kafka => kafka::plan(folder, ports),
        };
        self.process = Some(Process::start(&plan?, folder)?);
        Ok(())
    }

    /// Ends it in order and starts it again. RabbitMQ 3.10 writes within three minutes that a quorum queue is there, or when
    /// it ends in order: one that is killed before forgets new queues, which then never answer.
    pub fn restart_in_order(&mut self) -> Result<(), TestCarrierError> {
        if let Some(process) = self.process.take() {
            process.end_in_order();
        }
        self.restart()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its address as a URL.
    pub fn address(&self) -> String {
        let scheme = match self.kind {
            Kind::Nats => "nats",
            Kind::RabbitMq => "amqp",
            Kind::Kafka => "kafka",
        };
        format!("{scheme}://127.0.0.1:{}", self.ports[0])
    }
}

/// Where a program is: where `tools.sh` puts it, or else in the path.
fn find(program: &'static str, tool: &'static str) -> Result<String, TestCarrierError> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = cache.map(|cache| cache.join("weft/tools/bin")).into_iter().chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(program)).find(|program| program.is_file());
    found.map(|found| text(&found)).ok_or(TestCarrierError::NotInstalled { program, tool })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
