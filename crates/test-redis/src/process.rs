//! Starts the server, and sees to it that it ends with this process.

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

use crate::TestRedisError;

/// How long a server may take until it answers, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Ends the server when the test has closed its end of the pipe, by whatever way it ended; and ends
/// itself when the server has. A server that remembers nothing leaves no folder: the one that the tests
/// share is never dropped.
const WATCHDOG: &str = r#"exec 3<&0
"$@" >log 2>&1 3<&- &
read -r _ <&3
kill -9 $!
wait
[ -d appendonlydir ] || { rm -f log; rmdir "$PWD"; }"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        port: u16,
        durable: bool,
        tls: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self, TestRedisError> {
        fs::create_dir_all(folder).map_err(TestRedisError::Folder)?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(program).current_dir(folder);
        shell.args(["--bind", "127.0.0.1", "--save", ""]);
        if let Some((certificate, key)) = tls {
            shell.args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            shell.arg("--tls-cert-file").arg(certificate).arg("--tls-key-file").arg(key);
        } else {
            shell.args(["--port", &port.to_string()]);
        }
        shell.args(["--appendfsync", "always", "--appendonly", if durable { "yes" } else { "no" }]);
        // A group of its own: what interrupts the test leaves the watchdog to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |source| TestRedisError::Run { program: program.to_owned(), source };
        let process = Self(shell.spawn().map_err(failed)?);
        let end = Instant::now() + START_LIMIT;
        while !(if tls.is_some() { listens(port) } else { answers(port) }) {
            if Instant::now() > end {
                return Err(TestRedisError::NotReady(fs::read_to_string(folder.join("log")).unwrap_or_default()));
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

/// Over TLS more than that is for the test to ask.
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.set_read_timeout(Some(Duration::from_secs(2)))?;
        server.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        server.read_exact(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| &answer == b"+PONG")
}
