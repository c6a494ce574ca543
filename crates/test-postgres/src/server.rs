//! Starts the server, and sees to it that it ends with this process.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use url::Url;
use weft_test_ports::free_port;

use crate::{Certificate, TestPostgresError};

/// Waits until the test process has closed its end of the pipe, by whatever way it ended.
const WATCHDOG: &str = r#"while read -r _; do :; done; "$1/pg_ctl" stop -D "$2/data" -m immediate -s; rm -rf "$2""#;

pub(crate) const SETTINGS: &str = "-c max_connections=200 -c log_min_messages=fatal";

/// Nothing that a test loses matters; everything that it waits for does.
pub(crate) const FORGETFUL: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

/// The password of the superuser of a server that asks for one.
const PASSWORD: &str = "superuser";

/// Whom a server lets in.
pub(crate) enum Door<'a> {
    /// Everybody on this machine, through a Unix socket.
    Open,
    /// Who has a password, through a port; by TLS alone if there is a certificate.
    Guarded(Option<Certificate<'a>>),
    /// As [`Door::Open`], of a server that writes what it commits to the disk.
    Durable,
}

pub(crate) struct Server {
    pub(crate) url: Url,
    /// Holds the pipe open.
    _watchdog: Child,
}

/// A user that PostgreSQL may run as.
#[derive(Clone, Copy)]
pub(crate) struct User {
    id: u32,
    group: u32,
}

pub(crate) fn start(door: &Door<'_>) -> Result<Server, TestPostgresError> {
    let programs = programs()?;
    let folder = tempfile::Builder::new().prefix("weft-postgres-").tempdir().map_err(TestPostgresError::Folder)?.keep();
    let user = if fs::metadata(&folder).map_err(TestPostgresError::Folder)?.uid() == 0 { Some(other_user()?) } else { None };
    own(&folder, user)?;
    // Before the server, so that there is no moment in which one could be left behind.
    let watchdog = watchdog(&programs, &folder, user)?;
    let data = folder.join("data");
    let mut initdb = command(&programs.join("initdb"), &folder, user);
    initdb.arg("-D").arg(&data).args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    let (options, url) = match door {
        Door::Open | Door::Durable => {
            initdb.arg("--auth=trust");
            let url = format!("postgres://postgres@localhost/postgres?host={}", folder.display());
            ("-c listen_addresses=".to_owned(), url)
        }
        Door::Guarded(_) => {
            put(&folder.join("password"), PASSWORD, user)?;
            initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(folder.join("password"));
            let port = free_port()?;
            let url = format!("postgres://postgres:{PASSWORD}@localhost:{port}/postgres");
            (format!("-c listen_addresses=127.0.0.1 -c port={port}"), url)
        }
    };
    run(initdb)?;
    let tls = if let Door::Guarded(Some(certificate)) = door { show(certificate, &data, user)? } else { "" };
    let mut pg_ctl = command(&programs.join("pg_ctl"), &folder, user);
    let kept = if matches!(door, Door::Durable) { "" } else { FORGETFUL };
    let options = format!("{SETTINGS} {kept} {options} {tls} -k {}", folder.display());
    pg_ctl.arg("start").arg("-D").arg(&data).arg("-l").arg(folder.join("log")).arg("-o").arg(options).args(["-w", "-s"]);
    run(pg_ctl)?;
    Ok(Server { url: Url::parse(&url).map_err(|_| TestPostgresError::Url)?, _watchdog: watchdog })
}

/// Lets the server show a certificate, and nobody in without TLS; what it is started with for that.
fn show(certificate: &Certificate<'_>, data: &Path, user: Option<User>) -> Result<&'static str, TestPostgresError> {
    put(&data.join("server.crt"), certificate.chain, user)?;
    put(&data.join("server.key"), certificate.key, user)?;
    put(&data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n", user)?;
    Ok("-c ssl=on")
}

/// Writes a file that the server's user alone may read: it refuses a key that others may.
pub(crate) fn put(path: &Path, text: &str, user: Option<User>) -> Result<(), TestPostgresError> {
    fs::write(path, text).map_err(TestPostgresError::Folder)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(TestPostgresError::Folder)?;
    own(path, user)
}

pub(crate) fn own(path: &Path, user: Option<User>) -> Result<(), TestPostgresError> {
    match user {
        Some(user) => std::os::unix::fs::chown(path, Some(user.id), Some(user.group)).map_err(TestPostgresError::Folder),
        None => Ok(()),
    }
}

/// Debian and its kin keep the server's programs out of the path, a folder a version; others in it.
pub(crate) fn programs() -> Result<PathBuf, TestPostgresError> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = versions.chain(std::env::split_paths(&path)).filter(|folder| folder.join("initdb").is_file());
    let version = |folder: &PathBuf| folder.parent().and_then(Path::file_name)?.to_str()?.parse::<u32>().ok();
    known.max_by_key(version).ok_or(TestPostgresError::NotInstalled)
}

/// Dumps a database.
pub(crate) fn dump(url: &Url) -> Result<Vec<u8>, TestPostgresError> {
    let program = programs()?.join("pg_dump");
    let output = Command::new(&program).arg(url.as_str()).stdin(Stdio::null()).output();
    let program = program.display().to_string();
    let output = output.map_err(|source| TestPostgresError::Run { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(TestPostgresError::Failed { program, output: String::from_utf8_lossy(&output.stderr).into_owned() })
}

pub(crate) fn other_user() -> Result<User, TestPostgresError> {
    let users = fs::read_to_string("/etc/passwd").map_err(|_| TestPostgresError::NoUser)?;
    let find = |name: &str| {
        let fields: Vec<_> = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
        Some(User { id: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).ok_or(TestPostgresError::NoUser)
}

pub(crate) fn command(program: &Path, folder: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    // The server must not inherit a working folder that its user cannot enter.
    command.current_dir(folder).stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

pub(crate) fn watchdog(programs: &Path, folder: &Path, user: Option<User>) -> Result<Child, TestPostgresError> {
    let mut shell = command(Path::new("/bin/sh"), Path::new("/"), user);
    shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(programs).arg(folder);
    // A group of its own: what interrupts the test leaves the watchdog to clean up.
    shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().map_err(|source| TestPostgresError::Run { program: "/bin/sh".to_owned(), source })
}

/// Runs a program to its end. Its output goes through a file: the server that `pg_ctl` leaves behind
/// would hold a pipe open.
pub(crate) fn run(mut command: Command) -> Result<(), TestPostgresError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| TestPostgresError::Run { program: program.clone(), source };
    let output = tempfile::tempfile().map_err(failed)?;
    command.stdout(output.try_clone().map_err(failed)?).stderr(output.try_clone().map_err(failed)?);
    let status = command.status().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    let mut output = output;
    std::io::Seek::rewind(&mut output).map_err(failed)?;
    std::io::Read::read_to_string(&mut output, &mut text).map_err(failed)?;
    Err(TestPostgresError::Failed { program, output: text })
}
