//! One `weft serve` process, and the ways to end it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::ProofError;

/// How long a process may take until it says ready. Debug builds on a busy machine take their time.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a process may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// How much of a log explains a failure, in lines.
const LOG_SHOWN: usize = 30;

/// How processes are started.
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    /// Where they run, and where their logs go.
    pub(crate) folder: PathBuf,
    /// All that they have of an environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// A running process of one domain, or of the edge. It is killed when it is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Launch {
    /// Starts `weft serve DOMAIN` and waits until it says ready. `name` names its log.
    pub(crate) async fn serve(&self, domain: &str, name: &str, more: &[(String, String)]) -> Result<Process, ProofError> {
        let log = self.folder.join(format!("{name}.log"));
        let child = self
            .command(&log)?
            .args(["serve", domain])
            .envs(more.iter().map(|(name, value)| (name, value)))
            .spawn()
            .map_err(|source| ProofError::Run { binary: self.binary.clone(), source })?;
        let mut process = Process { name: name.to_owned(), child, log };
        process.wait_until_ready().await?;
        Ok(process)
    }

    /// Runs `weft migrate` to its end.
    pub(crate) fn migrate(&self) -> Result<(), ProofError> {
        let log = self.folder.join("migrate.log");
        let status = self.command(&log)?.arg("migrate").status();
        let status = status.map_err(|source| ProofError::Run { binary: self.binary.clone(), source })?;
        if status.success() { Ok(()) } else { Err(ProofError::Migrate(last_lines(&log))) }
    }

    /// Nothing of this process's own environment may configure another.
    fn command(&self, log: &Path) -> Result<Command, ProofError> {
        let log = File::create(log)?;
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).env_clear().stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

impl Process {
    /// Its name, as its log has it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<(), ProofError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it where it is, by SIGSTOP.
    pub(crate) fn freeze(&self) -> Result<(), ProofError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on, by SIGCONT.
    pub(crate) fn thaw(&self) -> Result<(), ProofError> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end by SIGTERM, and waits until it has.
    pub(crate) async fn terminate(&mut self) -> Result<(), ProofError> {
        self.signal(Signal::TERM)?;
        let end = Instant::now() + DRAIN_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err(ProofError::DidNotEnd { process: self.name.clone(), seconds: DRAIN_LIMIT.as_secs() });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), ProofError> {
        let failed = |source| ProofError::Signal { process: self.name.clone(), source };
        kill_process(Pid::from_child(&self.child), signal).map_err(failed)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ProofError> {
        let end = Instant::now() + START_LIMIT;
        while !says_ready(&self.log) {
            if self.child.try_wait()?.is_some() || Instant::now() > end {
                return Err(ProofError::NotReady { process: self.name.clone(), log: last_lines(&self.log) });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// True once a line of the log, which is JSON, says that everything runs.
fn says_ready(log: &Path) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    let message = |line: &str| Some(serde_json::from_str::<serde_json::Value>(line).ok()?["message"] == "ready");
    text.lines().any(|line| message(line).unwrap_or(false))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n")
}
