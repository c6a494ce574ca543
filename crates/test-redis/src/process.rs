//! Starts the server, and sees to it that it ends with this process.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
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
[ -d appendonlydir ] || { rm -f log nodes.conf dump.rdb; rmdir "$PWD"; }"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// How a server is run.
pub(crate) struct Run<'a> {
    pub(crate) program: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) speaks_tls: bool,
}

impl Process {
    pub(crate) fn start(run: &Run<'_>) -> Result<Self, TestRedisError> {
        let Run { program, folder, port, arguments, speaks_tls } = run;
        fs::create_dir_all(folder).map_err(TestRedisError::Folder)?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(program).args(arguments).current_dir(folder);
        // A group of its own: what interrupts the test leaves the watchdog to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |source| TestRedisError::Run { program: program.to_path_buf(), source };
        let process = Self(shell.spawn().map_err(failed)?);
        let end = Instant::now() + START_LIMIT;
        while !(if *speaks_tls { listens(*port) } else { answers(*port) }) {
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
    ask(port, "PING").is_ok_and(|answer| answer.starts_with("+PONG"))
}

/// What a server answers, as it comes: of texts the length as well.
pub(crate) fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(server, "{command}\r\n")?;
    // What was asked is answered, and then nothing more comes.
    server.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    Ok(answer)
}
