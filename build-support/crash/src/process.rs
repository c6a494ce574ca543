//! The process under test: `weft up` in a temporary folder, on ports of its own.

use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use weft_test_ports::free_port;

use crate::error::CrashError;
use crate::open_transactions::Database;

/// How much of the log explains a failure, in lines.
const LOG_SHOWN: usize = 30;

/// A running `weft up`, killed when dropped.
pub(crate) struct Weft {
    binary: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    address: SocketAddr,
    child: Child,
}

impl Weft {
    /// Starts it in `folder`. The edge keeps its port over every restart.
    pub(crate) fn start(binary: PathBuf, folder: &Path, database: &Database) -> Result<Self, CrashError> {
        let binary = fs::canonicalize(&binary).map_err(|source| CrashError::Run { binary, source })?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut environment = vec![
            ("WEFT_DATA_DIR".to_owned(), folder.join("data").display().to_string()),
            ("WEFT_EDGE_PORT".to_owned(), address.port().to_string()),
            ("WEFT_ADMIN_PORT".to_owned(), "0".to_owned()),
        ];
        if let Database::Postgres { url } = database {
            environment.push(("WEFT_DATABASE_URL".to_owned(), url.clone()));
        }
        for domain in domains(&binary)? {
            environment.push((format!("WEFT_MESH_PORTS_{}", domain.to_uppercase()), "0".to_owned()));
        }
        let child = spawn(&binary, folder, &environment)?;
        // The first process opens the shop, which is no part of the test; the sabotage is for its successors.
        if let Some(sabotage) = std::env::var_os("WEFT_SABOTAGE") {
            environment.push(("WEFT_SABOTAGE".to_owned(), sabotage.to_string_lossy().into_owned()));
        }
        Ok(Self { binary, folder: folder.to_owned(), environment, address, child })
    }

    /// Where the edge listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the process where it is, so that others can look at what it was doing.
    pub(crate) fn freeze(&self) -> Result<(), CrashError> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP)?;
        match waitpid(Some(pid), WaitOptions::UNTRACED)? {
            Some((_, status)) if status.stopped() => Ok(()),
            _ => Err(CrashError::EndedByItself),
        }
    }

    /// Kills the process by SIGKILL and starts the next.
    pub(crate) fn kill_and_restart(&mut self) -> Result<(), CrashError> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.binary, &self.folder, &self.environment)?;
        Ok(())
    }

    /// Adds the end of the process's log to an error.
    pub(crate) fn explain(&self, error: CrashError) -> CrashError {
        let log = fs::read_to_string(log_file(&self.folder)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n");
        CrashError::Logged { error: Box::new(error), log }
    }
}

impl Drop for Weft {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(binary: &Path, folder: &Path, environment: &[(String, String)]) -> Result<Child, CrashError> {
    let log = OpenOptions::new().create(true).append(true).open(log_file(folder))?;
    command(binary, folder, log)?
        .arg("up")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .spawn()
        .map_err(|source| CrashError::Run { binary: binary.to_owned(), source })
}

/// Nothing of this process's own environment may configure the other.
fn command(binary: &Path, folder: &Path, log: File) -> Result<Command, CrashError> {
    let mut command = Command::new(binary);
    command.current_dir(folder).env_clear().stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("weft.log")
}

/// The names of the domains that the binary holds.
fn domains(binary: &Path) -> Result<Vec<String>, CrashError> {
    #[derive(serde::Deserialize)]
    struct Routes {
        methods: Vec<Method>,
    }
    #[derive(serde::Deserialize)]
    struct Method {
        domain: String,
    }
    let output = Command::new(binary)
        .args(["routes", "--json"])
        .env_clear()
        .output()
        .map_err(|source| CrashError::Run { binary: binary.to_owned(), source })?;
    let routes: Routes = serde_json::from_slice(&output.stdout).map_err(|error| CrashError::Routes(error.to_string()))?;
    let mut domains: Vec<String> = routes.methods.into_iter().map(|method| method.domain).collect();
    domains.sort_unstable();
    domains.dedup();
    Ok(domains)
}
