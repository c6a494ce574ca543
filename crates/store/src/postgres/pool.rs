//! The one pool of the process, whose login may be rotated while it is in use.
//!
//! Problem: a password changes at two places, the server and the configuration, one after the other, and nobody knows which
//! comes first. Meanwhile the connections that are open live on, and new ones are refused. Rule: new connections log in by
//! the newest login that the server takes: the one configured last or the one before. While it takes neither, whoever needs
//! a connection waits for one that comes free, or for a login that is taken, as long as for any connection. Recovery: the
//! first refusal is a warning; a login that is taken again ends it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{Instant, sleep};

use super::describe;
use crate::{Pooler, Settings};

/// A connection that was idle this long is tested before it is used: its server may have gone.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// The pauses between attempts to log in.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);

/// The one pool of the process. Cloning it gives another handle.
#[derive(Clone)]
pub(crate) struct Pool {
    pool: PgPool,
    acquire_timeout: Duration,
    pooler: Pooler,
    login: Arc<Login>,
}

struct Login {
    known: Mutex<Known>,
    is_refused: AtomicBool,
}

/// The logins that the server may take.
struct Known {
    newest: PgConnectOptions,
    before: Option<PgConnectOptions>,
    /// Which of them new connections use.
    by_newest: bool,
    /// Counts the changes of that.
    turn: u64,
}

impl Pool {
    /// Connects when it is first used.
    pub(crate) fn new(options: PgConnectOptions, settings: &Settings) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(settings.max_lifetime)
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if state.idle_for > TRUSTED_IDLE {
                        sqlx::Connection::ping(connection).await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        let known = Mutex::new(Known { newest: options, before: None, by_newest: true, turn: 0 });
        let login = Arc::new(Login { known, is_refused: AtomicBool::new(false) });
        Self { pool, acquire_timeout: settings.acquire_timeout, pooler: settings.pooler, login }
    }

    /// What stands before the server.
    pub(crate) fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// What new connections are made by.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.known().newest.clone()
    }

    /// Logs in by these from now on. Connections that are open stay.
    pub(crate) fn rotate(&self, options: PgConnectOptions) {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.newest, options);
        known.before = Some(before);
        self.use_login(&mut known, true);
    }

    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let end = Instant::now() + self.acquire_timeout;
        let mut pause = FIRST_PAUSE;
        loop {
            let turn = self.known().turn;
            match self.pool.acquire().await {
                Err(error) if is_refused_login(&error) => {
                    self.refused(turn, &error);
                    if Instant::now() + pause > end {
                        return Err(error);
                    }
                    sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }

    /// How many connections there are, and how many of them nobody uses.
    pub(crate) fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// True if no more connections may be made.
    pub(crate) fn is_full(&self) -> bool {
        self.pool.size() >= self.pool.options().get_max_connections()
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.login.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_login(&self, known: &mut Known, newest: bool) {
        known.by_newest = newest || known.before.is_none();
        known.turn += 1;
        let options = known.before.as_ref().filter(|_| !known.by_newest).unwrap_or(&known.newest);
        self.pool.set_connect_options(options.clone());
        self.login.is_refused.store(false, Ordering::Relaxed);
    }

    /// Goes over to the other login, unless somebody else has since the attempt was made.
    fn refused(&self, turn: u64, error: &sqlx::Error) {
        let mut known = self.known();
        if !self.login.is_refused.swap(true, Ordering::Relaxed) {
            let (database, user) = (describe(&known.newest), known.newest.get_username().to_owned());
            tracing::warn!(database, user, %error, "the database refuses the login: connections that are open serve on");
        }
        if known.turn == turn && known.before.is_some() {
            let newest = !known.by_newest;
            self.use_login(&mut known, newest);
        }
    }
}

/// `invalid_password` and `invalid_authorization_specification` (PostgreSQL's documentation, appendix A).
fn is_refused_login(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("28P01" | "28000"))
}

/// The driver's own `Debug` shows the password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("database", &describe(&self.known().newest)).finish_non_exhaustive()
    }
}
