//! A throw-away Redis for tests.
//!
//! [`address`] names a server that all tests of a process share: the one of
//! `WEFT_TEST_REDIS=redis://127.0.0.1:6379`, or else one that is started at the first call. Tests keep
//! apart by their keys. [`Server::start`] gives a test a server of its own, to be stopped and started
//! again at the same port; [`Cluster`] and [`Watched`] are several that take over from each other. Servers end with the test process, however that ends. A machine without
//! Redis fails the test with the command that installs it.

mod cluster;
mod process;
mod watched;

use std::{
    env::VarError,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use weft_test_ports::{TestPortsError, free_port};

pub use cluster::Cluster;
pub use watched::Watched;

use process::{Process, Run};

/// How long servers may take until they know each other, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no Redis for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestRedisError {
    /// Redis is not installed.
    #[error("this test needs Redis; install it with: apt-get install -y redis-server")]
    NotInstalled,
    /// `WEFT_TEST_REDIS` cannot be read.
    #[error("WEFT_TEST_REDIS is no address such as redis://127.0.0.1:6379")]
    Address,
    /// The folder for the server could not be made.
    #[error("could not make a folder for the server")]
    Folder(#[source] io::Error),
    /// There is no port for it.
    #[error("no port for the server")]
    Port(#[from] TestPortsError),
    /// The server could not be asked.
    #[error("could not ask the server")]
    Ask(#[source] io::Error),
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

/// The address of a server that other tests use at the same time.
pub fn address() -> Result<String, TestRedisError> {
    static OURS: OnceLock<Result<Server, TestRedisError>> = OnceLock::new();
    match std::env::var("WEFT_TEST_REDIS") {
        Ok(address) if address.starts_with("redis://") => Ok(address),
        Ok(_) | Err(VarError::NotUnicode(_)) => Err(TestRedisError::Address),
        Err(VarError::NotPresent) => match OURS.get_or_init(Server::start) {
            Ok(server) => Ok(server.address()),
            // Errors hold sources that cannot be cloned; every test is told the text.
            Err(error) => Err(TestRedisError::Shared(error.to_string())),
        },
    }
}

/// A server of a test's own that runs, or was stopped. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Process>,
    durable: bool,
    /// Certificate and key, if it is spoken to over TLS.
    tls: Option<(PathBuf, PathBuf)>,
    /// What it is told besides.
    more: Vec<String>,
}

impl Server {
    /// Remembers nothing when it is started again. Blocks until the server answers.
    pub fn start() -> Result<Self, TestRedisError> {
        Self::new(false, None, &[])
    }

    /// Writes everything to its folder before it answers, and remembers it when it is started again.
    pub fn durable() -> Result<Self, TestRedisError> {
        Self::new(true, None, &[])
    }

    /// Speaks TLS alone, with this certificate and key, both in PEM. Blocks until the server listens.
    pub fn with_tls(certificate: &str, key: &str) -> Result<Self, TestRedisError> {
        Self::new(false, Some((certificate, key)), &[])
    }

    /// Told this besides.
    fn told(more: &[&str]) -> Result<Self, TestRedisError> {
        Self::new(false, None, more)
    }

    fn new(durable: bool, tls: Option<(&str, &str)>, more: &[&str]) -> Result<Self, TestRedisError> {
        let program = program()?;
        let folder = tempfile::Builder::new().prefix("weft-redis-").tempdir().map_err(TestRedisError::Folder)?;
        let port = free_port()?;
        let tls = match tls {
            None => None,
            Some((certificate, key)) => {
                let place = |name: &str| folder.path().join(name);
                let files = (place("certificate.pem"), place("key.pem"));
                fs::write(&files.0, certificate).and_then(|()| fs::write(&files.1, key)).map_err(TestRedisError::Folder)?;
                Some(files)
            }
        };
        let more = more.iter().map(ToString::to_string).collect();
        let mut server = Self { program, folder, port, process: None, durable, tls, more };
        server.restart()?;
        Ok(server)
    }

    /// Starts it again at the same port. Blocks until the server answers.
    pub fn restart(&mut self) -> Result<(), TestRedisError> {
        self.stop();
        self.process = Some(Process::start(&Run {
            program: &self.program,
            folder: self.folder(),
            port: self.port,
            arguments: self.arguments(),
            speaks_tls: self.tls.is_some(),
        })?);
        Ok(())
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["--bind", "127.0.0.1", "--save", ""].map(OsString::from).into();
        let port = self.port.to_string();
        if let Some((certificate, key)) = &self.tls {
            arguments.extend(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"].map(OsString::from));
            arguments.extend(["--tls-cert-file".into(), certificate.into(), "--tls-key-file".into(), key.into()]);
        } else {
            arguments.extend(["--port", &port].map(OsString::from));
        }
        let appends = if self.durable { "yes" } else { "no" };
        arguments.extend(["--appendfsync", "always", "--appendonly", appends].map(OsString::from));
        arguments.extend(self.more.iter().map(OsString::from));
        arguments
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its address as a URL.
    pub fn address(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Where Redis is installed.
fn program() -> Result<PathBuf, TestRedisError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
    programs.into_iter().find(|program| program.is_file()).ok_or(TestRedisError::NotInstalled)
}

/// Waits until the answer to a command is as it should be, on a busy machine.
fn until(port: u16, command: &str, is_there: impl Fn(&str) -> bool) -> Result<(), TestRedisError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = process::ask(port, command).unwrap_or_default();
        if is_there(&answer) {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(TestRedisError::NotReady(format!("{command}: {answer}")));
        }
        sleep(Duration::from_millis(20));
    }
}

/// Has a server do something.
fn tell(port: u16, command: &str) -> Result<(), TestRedisError> {
    until(port, command, |answer| answer.starts_with('+'))
}
