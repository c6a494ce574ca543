//! PgBouncer in transaction mode, before a database of the throw-away server.

use std::{
    fs,
    os::unix::{fs::MetadataExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use url::Url;

use crate::{
    TestPostgresError,
    server::{User, command, other_user, own, put},
};

/// Runs it until the test process has closed its end of the pipe, by whatever way it ended.
const UNTIL_CLOSED: &str = r#""$1" -q "$2/pgbouncer.ini" >"$2/log" 2>&1 & pid=$!
while read -r _; do :; done; kill "$pid"; wait "$pid"; rm -rf "$2""#;

/// The port that names its socket; nothing listens on it.
const PORT: u16 = 6432;

/// How long it may take to begin.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A pooler that gives a session of the server for one transaction at a time. It ends when it is dropped, or with the test
/// process.
pub struct TransactionPooler {
    url: Url,
    /// Holds the pipe open.
    _until_closed: Child,
}

impl TransactionPooler {
    /// One before `database`, whose user logs in, with at most `sessions` sessions of the server. Blocks until it answers.
    pub fn start(database: &Url, sessions: u32) -> Result<Self, TestPostgresError> {
        let program = program()?;
        let folder = tempfile::Builder::new().prefix("weft-pgbouncer-").tempdir().map_err(TestPostgresError::Folder)?.keep();
        let user = if fs::metadata(&folder).map_err(TestPostgresError::Folder)?.uid() == 0 { Some(other_user()?) } else { None };
        own(&folder, user)?;
        let users = format!("\"{}\" \"{}\"\n", database.username(), database.password().unwrap_or_default());
        put(&folder.join("users"), &users, user)?;
        put(&folder.join("pgbouncer.ini"), &settings(database, sessions, &folder), user)?;
        let until_closed = run(&program, &folder, user)?;
        let mut url = database.clone();
        // As a program on the same machine reaches it.
        let placed = url.set_host(Some("localhost")).is_ok() && url.set_port(Some(PORT)).is_ok();
        if !placed {
            return Err(TestPostgresError::Url);
        }
        url.query_pairs_mut().clear().append_pair("host", &folder.display().to_string());
        wait(&folder)?;
        Ok(Self { url, _until_closed: until_closed })
    }

    /// The database's URL through the pooler.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// It is let know nothing of what sessions may set beyond its own list: a client that sets more is refused.
fn settings(database: &Url, sessions: u32, folder: &Path) -> String {
    let socket = database.query_pairs().find(|(name, _)| name == "host").map(|(_, folder)| folder.into_owned());
    let host = socket.unwrap_or_else(|| database.host_str().unwrap_or("localhost").to_owned());
    let port = database.port().unwrap_or(5432);
    let folder = folder.display();
    format!(
        "[databases]\n* = host={host} port={port}\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = {sessions}\n\
         max_client_conn = 200\nauth_type = trust\nauth_file = {folder}/users\nunix_socket_dir = {folder}\nlisten_port = {PORT}\n"
    )
}

fn run(program: &Path, folder: &Path, user: Option<User>) -> Result<Child, TestPostgresError> {
    let mut shell = command(Path::new("/bin/sh"), Path::new("/"), user);
    shell.arg("-c").arg(UNTIL_CLOSED).arg("pgbouncer").arg(program).arg(folder);
    // A group of its own: what interrupts the test leaves it to clean up.
    shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn(shell)
}

fn spawn(mut shell: Command) -> Result<Child, TestPostgresError> {
    shell.spawn().map_err(|source| TestPostgresError::Run { program: "/bin/sh".to_owned(), source })
}

/// Waits until its socket takes connections.
fn wait(folder: &Path) -> Result<(), TestPostgresError> {
    let (socket, end) = (folder.join(format!(".s.PGSQL.{PORT}")), Instant::now() + START_LIMIT);
    while UnixStream::connect(&socket).is_err() {
        if Instant::now() > end {
            let output = fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(TestPostgresError::Failed { program: "pgbouncer".to_owned(), output });
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Debian keeps it out of the path of those who are not root.
fn program() -> Result<PathBuf, TestPostgresError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut known = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|folder| folder.join("pgbouncer"));
    known.find(|file| file.is_file()).ok_or(TestPostgresError::NoPooler)
}
