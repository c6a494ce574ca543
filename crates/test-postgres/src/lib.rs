//! A throw-away PostgreSQL for tests.
//!
//! [`database`] gives a test a database of its own. The first call of a process starts a server in a
//! temporary folder, on a Unix socket; it ends and its folder goes when the process ends, however it
//! ends. `WEFT_TEST_POSTGRES=postgres://superuser@host:5432/postgres` names a running server to use
//! instead. [`Guarded`] is a server of a test's own that asks for passwords, by TLS if need be;
//! [`Standby`] is a replica of one; [`TransactionPooler`] stands before a database and shares its sessions. A machine without PostgreSQL or PgBouncer fails
//! the test with the command that installs it.
//!
//! Databases are not dropped: they go with the server. Roles belong to the whole server, so tests that
//! migrate a domain of the same name share its roles.

mod pooler;
mod server;
mod standby;

use std::{env::VarError, sync::OnceLock};

use server::{Door, Server};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

pub use pooler::TransactionPooler;
pub use standby::Standby;

/// Why there is no database for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestPostgresError {
    /// PostgreSQL is not installed.
    #[error("this test needs PostgreSQL; install it with: apt-get install -y postgresql")]
    NotInstalled,
    /// PgBouncer is not installed.
    #[error("this test needs PgBouncer; install it with: apt-get install -y pgbouncer")]
    NoPooler,
    /// A program of PostgreSQL could not be run.
    #[error("could not run {program}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: String,
        /// What it printed.
        output: String,
    },
    /// The folder for the server could not be made.
    #[error("could not make a folder for the server")]
    Folder(#[source] std::io::Error),
    /// There is no port for the server.
    #[error("no port for the server")]
    Port(#[from] weft_test_ports::TestPortsError),
    /// PostgreSQL does not run as root, and there is no user to run it as.
    #[error("PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody")]
    NoUser,
    /// `WEFT_TEST_POSTGRES` is not a URL.
    #[error("WEFT_TEST_POSTGRES is no URL such as postgres://postgres@localhost:5432/postgres")]
    Url,
    /// The server made no database, or did not do what it was told.
    #[error("the server refuses: {0}")]
    Database(#[from] sqlx::Error),
}

/// A certificate and its key for a server, as PEM texts.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// The chain.
    pub chain: &'a str,
    /// The private key.
    pub key: &'a str,
}

/// A server of a test's own that asks for passwords, on `localhost`. It ends when it is dropped, or with the test process.
pub struct Guarded(Server);

impl Guarded {
    /// One that shows the certificate, if there is one, and then lets nobody in without TLS. Blocks until it answers.
    pub fn start(certificate: Option<Certificate<'_>>) -> Result<Self, TestPostgresError> {
        server::start(&Door::Guarded(certificate)).map(Self)
    }

    /// The URL of its superuser.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Runs SQL as its superuser.
    pub async fn execute(&self, text: &str) -> Result<(), TestPostgresError> {
        let mut connection = PgConnection::connect(self.0.url.as_str()).await?;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// A server for benchmarks: it writes what it commits to the disk, with the settings that PostgreSQL comes with. It ends
/// when it is dropped, or with the process.
pub struct Durable(Server);

impl Durable {
    /// Blocks until it answers.
    pub fn start() -> Result<Self, TestPostgresError> {
        server::start(&Door::Durable).map(Self)
    }

    /// The URL of its superuser.
    pub fn url(&self) -> &Url {
        &self.0.url
    }
}

/// A new, empty database, as a URL of its superuser.
pub async fn database() -> Result<Url, TestPostgresError> {
    let mut url = server_url()?;
    let mut connection = PgConnection::connect(url.as_str()).await?;
    let name = format!("weft_test_{}", uuid::Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    url.set_path(&name);
    Ok(url)
}

/// Everything that a database holds, as `pg_dump` writes it.
pub fn dump(url: &Url) -> Result<Vec<u8>, TestPostgresError> {
    server::dump(url)
}

fn server_url() -> Result<Url, TestPostgresError> {
    match std::env::var("WEFT_TEST_POSTGRES") {
        Ok(url) => Url::parse(&url).map_err(|_| TestPostgresError::Url),
        Err(VarError::NotUnicode(_)) => Err(TestPostgresError::Url),
        Err(VarError::NotPresent) => {
            static OURS: OnceLock<Result<Server, TestPostgresError>> = OnceLock::new();
            match OURS.get_or_init(|| server::start(&Door::Open)) {
                Ok(server) => Ok(server.url.clone()),
                // Errors hold sources that cannot be cloned; every test after the first is told this.
                Err(error) => Err(TestPostgresError::Failed { program: "the test server".to_owned(), output: error.to_string() }),
            }
        }
    }
}
