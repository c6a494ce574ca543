//! Starts the agent, and sees to it that it ends with this process.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{TestConsulError, ports::Ports};

/// Ends the agent when the test has closed its end of the pipe, by whatever way it ended; and ends
/// itself when the agent has.
const WATCHDOG: &str = r#"exec 3<&0
"$1" agent -dev -bind 127.0.0.1 -client 127.0.0.1 -config-file agent.json >log 2>&1 3<&- &
read -r _ <&3
kill -9 $!
wait"#;

/// A running agent.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(program: &Path, folder: &Path, ports: &Ports, limit: Duration) -> Result<Self, TestConsulError> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(program).current_dir(folder);
        // A group of its own: what interrupts the test leaves the watchdog to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |source| TestConsulError::Run { program: program.to_owned(), source };
        let process = Self(shell.spawn().map_err(failed)?);
        let end = Instant::now() + limit;
        while !has_leader(ports.http) {
            if Instant::now() > end {
                return Err(TestConsulError::NotReady(fs::read_to_string(folder.join("log")).unwrap_or_default()));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog reads the end of the pipe, kills the agent, and is gone when that is.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Where `tools.sh` puts it, or else in the path.
pub(crate) fn program() -> Result<PathBuf, TestConsulError> {
    if let Some(named) = std::env::var_os("WEFT_TEST_CONSUL") {
        // The agent runs in a folder of its own.
        let named = std::path::absolute(named).ok();
        return named.filter(|program| program.is_file()).ok_or(TestConsulError::NotInstalled);
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = cache.map(|cache| cache.join("weft/tools/bin")).into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("consul")).find(|program| program.is_file()).ok_or(TestConsulError::NotInstalled)
}

/// `GET /v1/status/leader` needs no token, and names nobody before the agent has elected itself.
fn has_leader(port: u16) -> bool {
    let ask = || {
        let mut agent = TcpStream::connect(("127.0.0.1", port))?;
        agent.set_read_timeout(Some(Duration::from_secs(2)))?;
        agent.write_all(b"GET /v1/status/leader HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        agent.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200") && answer.trim_end().ends_with('"') && !answer.ends_with("\"\""))
}
