//! The binary, alone in an empty folder, with nothing of the environment but what a test gives it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread::spawn,
    time::Duration,
};

use tempfile::TempDir;

/// Free ports for everything, so that tests do not meet each other.
pub(crate) const FREE_PORTS: [&str; 12] = [
    "--set",
    "edge.port=0",
    "--set",
    "admin.port=0",
    "--set",
    "mesh.ports.auth=0",
    "--set",
    "mesh.ports.catalog=0",
    "--set",
    "mesh.ports.orders=0",
    "--set",
    "mesh.ports.events=0",
];

/// A folder and the binary in it.
pub(crate) struct Given {
    pub(crate) folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a command came to.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn weft() -> Given {
    Given { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
}

/// The same, for domains in several processes: a Redis of this test process carries events between them.
pub(crate) fn weft_in_parts() -> Given {
    match weft_test_redis::address() {
        Ok(address) => weft().variable("WEFT_EVENTS_URL", &address),
        Err(error) => panic!("{error}"),
    }
}

impl Given {
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(crate) fn file(self, text: &str) -> Self {
        self.write("weft.toml", text);
        self
    }

    /// Puts a file into the folder by one step, as a careful editor does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let new = self.folder.path().join(format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
        command.current_dir(self.folder.path()).env_clear().envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts a command that runs until it is stopped.
    pub(crate) fn start(&self, words: &[&str]) -> Started {
        Started::new(self.command(words).spawn().unwrap())
    }
}

impl Ended {
    /// The one sentence on stderr, beside log lines.
    pub(crate) fn sentence(&self) -> &str {
        let told: Vec<_> = self.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(told.len(), 1, "not one sentence: {}", self.stderr);
        told[0].strip_prefix("weft: ").unwrap_or_else(|| panic!("not by weft: {}", told[0]))
    }
}

/// A process that runs. It is killed when the test ends.
pub(crate) struct Started {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Started {
    fn new(mut child: Child) -> Self {
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// The address that `name` listens on, from the log up to the line that says ready.
    pub(crate) fn addresses(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            let Ok(entry) = serde_json::from_str::<serde_json::Value>(&line) else { panic!("it did not start: {line}") };
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            match entry["message"].as_str() {
                Some("listening") => found.push((text("domain"), text("address"))),
                Some("ready") => {
                    found.push(("admin".to_owned(), text("admin")));
                    return found;
                }
                _ => {}
            }
            line.clear();
        }
        panic!("it ended before it was ready");
    }

    /// The log's lines up to one with these words. A process that does not say them in time is killed.
    pub(crate) fn log_to(&mut self, words: &str) -> String {
        let (said, is_said) = channel::<()>();
        let pid = self.child.id().to_string();
        let watchdog = spawn(move || {
            if is_said.recv_timeout(Duration::from_secs(30)) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        let (mut text, mut line) = (String::new(), String::new());
        while !line.contains(words) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ended without {words:?}: {text}");
            text.push_str(&line);
        }
        drop(said);
        watchdog.join().unwrap();
        text
    }

    /// Everything on stdout up to a line.
    pub(crate) fn stdout_to(&mut self, last: &str) -> String {
        let mut text = String::new();
        let mut out = BufReader::new(self.child.stdout.as_mut().unwrap());
        while !text.lines().any(|line| line.contains(last)) {
            assert!(out.read_line(&mut text).unwrap() > 0, "stdout ended: {text}");
        }
        text
    }

    /// Asks it to stop, and waits for that.
    pub(crate) fn stop(mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        // Its log is read to the end: a full pipe would hold it up.
        std::io::copy(&mut self.log, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of the addresses, the one of `name`.
pub(crate) fn address<'a>(addresses: &'a [(String, String)], name: &str) -> &'a str {
    &addresses.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name} in {addresses:?}")).1
}

/// Sends one HTTP request; returns status and body.
pub(crate) fn http(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    http_with(address, method, path, &[], body)
}

/// The same with headers.
pub(crate) fn http_with(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         {headers}connection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
