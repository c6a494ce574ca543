//! Starts a server, and sees to it that it ends with this process.

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Plan, TestCarrierError};

/// How long a server may take until it can be used, on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(3);

/// Kills the server, whatever processes that is, and its helper when the test has closed its end of the pipe, by whatever way it
/// ended. The folder goes too once the test's process is gone: the server that tests share is never dropped.
const WATCHDOG: &str = r#"exec 3<&0
if [ -n "$HELPER" ]; then $HELPER >helper.log 2>&1 3<&- & helper=$!; fi
setsid "$@" >log 2>&1 3<&- & server=$!
read -r signal <&3
kill "-${signal:-KILL}" "-$server"
while kill -0 "-$server"; do wait "$server"; sleep 0.05; done
[ -z "$helper" ] || kill -9 "$helper"
wait
kill -0 "$OWNER" 2>/dev/null || rm -rf "$PWD""#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(plan: &Plan, folder: &Path) -> Result<Self, TestCarrierError> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").args(&plan.command).current_dir(folder);
        shell.env("HELPER", plan.helper.join(" ")).env("OWNER", std::process::id().to_string());
        shell.envs(plan.variables.iter().map(|(name, value)| (name, value)));
        let _ = fs::remove_file(folder.join("log"));
        // A group of its own: what interrupts the test leaves the watchdog to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |source| TestCarrierError::Run { program: plan.command.first().map(Into::into).unwrap_or_default(), source };
        let process = Self(shell.spawn().map_err(failed)?);
        let end = Instant::now() + START_LIMIT;
        loop {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            if log.contains(plan.ready) {
                return Ok(process);
            }
            if Instant::now() > end {
                return Err(TestCarrierError::NotReady(log));
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Process {
    /// Has it end in order, and waits until it has.
    pub(crate) fn end_in_order(mut self) {
        if let Some(watchdog) = &mut self.0.stdin {
            // If it cannot be told, it kills.
            let _ = watchdog.write_all(b"TERM\n");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog reads the end of the pipe, kills the server, and is gone when that is.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
