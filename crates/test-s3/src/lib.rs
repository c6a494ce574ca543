//! A throw-away S3 server for tests.
//!
//! [`Server::start`] gives a test a bucket of its own, on a server that checks every signature as Amazon's does and keeps
//! its objects in a folder. It ends with the test process, however that ends. A machine without one fails the test with
//! the command that installs it.

mod process;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use weft_test_ports::{TestPortsError, free_port};

use process::Process;

/// Why there is no S3 for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestS3Error {
    /// The server is not installed.
    #[error("this test needs versitygw; install it with: bash build-support/tools.sh versitygw")]
    NotInstalled,
    /// The folder for the server could not be made.
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
}

/// The bucket of every server.
pub const BUCKET: &str = "blobs";
/// Who may ask.
pub const ACCESS_KEY_ID: &str = "weft-test";
/// What is to be signed with.
pub const SECRET_ACCESS_KEY: &str = "weft-test-secret";
/// What is to be signed for.
pub const REGION: &str = "us-east-1";

/// A server of a test's own. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    tls: Option<(PathBuf, PathBuf)>,
    process: Option<Process>,
}

impl Server {
    /// Starts one without TLS. Blocks until it answers.
    pub fn start() -> Result<Self, TestS3Error> {
        Self::new(None)
    }

    /// Starts one with this certificate and key, both in PEM.
    pub fn with_tls(certificate: &str, key: &str) -> Result<Self, TestS3Error> {
        Self::new(Some((certificate, key)))
    }

    fn new(tls: Option<(&str, &str)>) -> Result<Self, TestS3Error> {
        let program = find()?;
        let folder = tempfile::Builder::new().prefix("weft-s3-").tempdir().map_err(TestS3Error::Folder)?;
        let place = |name: &str| folder.path().join(name);
        for name in ["objects/blobs", "about"] {
            fs::create_dir_all(place(name)).map_err(TestS3Error::Folder)?;
        }
        let tls = match tls {
            None => None,
            Some((certificate, key)) => {
                let files = (place("certificate.pem"), place("key.pem"));
                fs::write(&files.0, certificate).and_then(|()| fs::write(&files.1, key)).map_err(TestS3Error::Folder)?;
                Some(files)
            }
        };
        let port = free_port()?;
        let mut server = Self { program, folder, port, tls, process: None };
        server.restart()?;
        Ok(server)
    }

    /// Starts it again at the same port, with what it has. Blocks until it answers.
    pub fn restart(&mut self) -> Result<(), TestS3Error> {
        self.stop();
        self.process = Some(Process::start(&self.program, self.folder.path(), self.port, self.tls.as_ref())?);
        Ok(())
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Where the objects of the bucket are, and what is left of uploads in parts.
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join("objects").join(BUCKET)
    }
}

fn find() -> Result<PathBuf, TestS3Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let installed = installed.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    // Where tools.sh puts programs, whether the PATH says so or not.
    let tools = installed.map(|cache| cache.join("weft/tools/bin"));
    let programs = std::env::split_paths(&path).chain(tools).map(|folder| folder.join("versitygw"));
    programs.into_iter().find(|program| program.is_file()).ok_or(TestS3Error::NotInstalled)
}
