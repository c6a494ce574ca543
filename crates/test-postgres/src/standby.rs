//! A streaming replica of a server of a test's own.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, process::Child};

use sqlx::{Connection, PgConnection};
use url::Url;
use weft_test_ports::free_port;

use crate::{
    Guarded, TestPostgresError,
    server::{FORGETFUL, SETTINGS, User, command, other_user, own, programs, run, watchdog},
};

/// A replica that follows a [`Guarded`] server, on `localhost` under the same users and passwords. It ends when it is
/// dropped, or with the test process.
pub struct Standby {
    url: Url,
    programs: PathBuf,
    folder: PathBuf,
    user: Option<User>,
    options: String,
    /// Holds the pipe open.
    _watchdog: Child,
}

impl Standby {
    /// Copies what the server holds, and follows it from there. Blocks until it answers.
    pub fn follow(primary: &Guarded) -> Result<Self, TestPostgresError> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("weft-standby-").tempdir().map_err(TestPostgresError::Folder)?.keep();
        let user = if fs::metadata(&folder).map_err(TestPostgresError::Folder)?.uid() == 0 { Some(other_user()?) } else { None };
        own(&folder, user)?;
        let watchdog = watchdog(&programs, &folder, user)?;
        let mut copy = command(&programs.join("pg_basebackup"), &folder, user);
        copy.arg("--dbname").arg(primary.url().as_str()).arg("--pgdata").arg(folder.join("data"));
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
        run(copy)?;
        let port = free_port()?;
        let mut url = primary.url().clone();
        url.set_port(Some(port)).map_err(|()| TestPostgresError::Url)?;
        let options = format!("{SETTINGS} {FORGETFUL} -c listen_addresses=127.0.0.1 -c port={port} -k {}", folder.display());
        let standby = Self { url, programs, folder, user, options, _watchdog: watchdog };
        standby.start()?;
        Ok(standby)
    }

    /// The URL of its superuser.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Starts it after it was stopped. Blocks until it answers.
    pub fn start(&self) -> Result<(), TestPostgresError> {
        let mut start = self.pg_ctl("start");
        start.arg("-l").arg(self.folder.join("log")).arg("-o").arg(&self.options).arg("-w");
        run(start)
    }

    /// Stops it as a crash does.
    pub fn stop(&self) -> Result<(), TestPostgresError> {
        let mut stop = self.pg_ctl("stop");
        stop.args(["-m", "immediate"]);
        run(stop)
    }

    /// Makes it a primary of its own.
    pub fn promote(&self) -> Result<(), TestPostgresError> {
        let mut promote = self.pg_ctl("promote");
        promote.arg("-w");
        run(promote)
    }

    /// Runs SQL as its superuser.
    pub async fn execute(&self, text: &'static str) -> Result<(), TestPostgresError> {
        let mut connection = PgConnection::connect(self.url.as_str()).await?;
        sqlx::raw_sql(text).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    fn pg_ctl(&self, what: &str) -> std::process::Command {
        let mut pg_ctl = command(&self.programs.join("pg_ctl"), &self.folder, self.user);
        pg_ctl.arg(what).arg("-D").arg(self.folder.join("data")).arg("-s");
        pg_ctl
    }
}
