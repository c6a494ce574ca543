//! Starts the server, and sees to it that it ends with this process.

use std::{
    fs,
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, TestS3Error};

/// How long a server may take until it answers, on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Ends the server when the test has closed its end of the pipe, by whatever way it ended; and ends itself when the server
/// has.
const WATCHDOG: &str = r#"exec 3<&0
"$@" >log 2>&1 3<&- & server=$!
{ read -r _ <&3; kill -9 $server; } 2>/dev/null &
wait $server"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(program: &Path, folder: &Path, port: u16, tls: Option<&(PathBuf, PathBuf)>) -> Result<Self, TestS3Error> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(program).current_dir(folder);
        shell.args(["--port", &format!("127.0.0.1:{port}"), "--region", REGION, "--quiet", "--keep-alive"]);
        shell.env("ROOT_ACCESS_KEY_ID", ACCESS_KEY_ID).env("ROOT_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
        if let Some((certificate, key)) = tls {
            shell.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        // What it keeps of objects beside their bytes is in files: not every file system has attributes.
        shell.arg("posix").arg("--sidecar").arg(folder.join("about")).arg(folder.join("objects"));
        // A group of its own: what interrupts the test leaves the watchdog to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |source| TestS3Error::Run { program: program.to_owned(), source };
        let mut process = Self(shell.spawn().map_err(failed)?);
        let end = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let has_ended = process.0.try_wait().is_ok_and(|ended| ended.is_some());
            if has_ended || Instant::now() > end {
                return Err(TestS3Error::NotReady(fs::read_to_string(folder.join("log")).unwrap_or_default()));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog reads the end of the pipe, kills the server, and is gone when that is.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
