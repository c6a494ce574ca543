//! A throw-away Redis for tests.
//!
//! [`address`] names a server that all tests of a process share: the one of
//! `WEFT_TEST_REDIS=redis://127.0.0.1:6379`, or else one that is started at the first call. Tests keep
//! apart by their keys. [`Server::start`] gives a test a server of its own, to be stopped and started
//! again at the same port. Servers end with the test process, however that ends. A machine without
//! Redis fails the test with the command that installs it.

mod process;

use std::{
    env::VarError,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tempfile::TempDir;

use process::Process;

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
    /// There is no free port.
    #[error("no free port")]
    Port(#[source] io::Error),
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
}

impl Server {
    /// Remembers nothing when it is started again. Blocks until the server answers.
    pub fn start() -> Result<Self, TestRedisError> {
        Self::new(false, None)
    }

    /// Writes everything to its folder before it answers, and remembers it when it is started again.
    pub fn durable() -> Result<Self, TestRedisError> {
        Self::new(true, None)
    }

    /// Speaks TLS alone, with this certificate and key, both in PEM. Blocks until the server listens.
    pub fn with_tls(certificate: &str, key: &str) -> Result<Self, TestRedisError> {
        Self::new(false, Some((certificate, key)))
    }

    fn new(durable: bool, tls: Option<(&str, &str)>) -> Result<Self, TestRedisError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
        let program = programs.into_iter().find(|program| program.is_file()).ok_or(TestRedisError::NotInstalled)?;
        let folder = tempfile::Builder::new().prefix("weft-redis-").tempdir().map_err(TestRedisError::Folder)?;
        let port = free_port().map_err(TestRedisError::Port)?;
        let tls = match tls {
            None => None,
            Some((certificate, key)) => {
                let place = |name: &str| folder.path().join(name);
                let files = (place("certificate.pem"), place("key.pem"));
                fs::write(&files.0, certificate).and_then(|()| fs::write(&files.1, key)).map_err(TestRedisError::Folder)?;
                Some(files)
            }
        };
        let mut server = Self { program, folder, port, process: None, durable, tls };
        server.restart()?;
        Ok(server)
    }

    /// Starts it again at the same port. Blocks until the server answers.
    pub fn restart(&mut self) -> Result<(), TestRedisError> {
        self.stop();
        self.process = Some(Process::start(&self.program, self.folder(), self.port, self.durable, self.tls.as_ref())?);
        Ok(())
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

/// A port that nobody listens on at this moment.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
