//! Entries and counters in Redis, for all processes.
//!
//! Rule: each operation is atomic, one command or one script, on one key. A server that does not
//! answer costs a call at most [`CONNECT_LIMIT`] and [`ANSWER_LIMIT`], and is then left alone for a
//! moment (see [`outage`]). Redis 6.2 or newer, or Valkey.

mod address;
mod cached;
mod counted;
mod ephemeral;
mod marked;
mod outage;
mod servers;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use redis::{FromRedisValue, RedisResult, Script};
use secrecy::{ExposeSecret, SecretString};

use crate::CacheError;

use address::Named;
use outage::Outage;
use servers::Connection;

/// How long connecting may take, TLS and login included.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// Entries and counters in one Redis. Clones share a connection.
#[derive(Clone)]
pub struct Redis {
    connection: Connection,
    outage: Arc<Outage>,
    scripts: Arc<Scripts>,
}

/// What Redis runs as one step.
struct Scripts {
    claim: Script,
    fill: Script,
    take: Script,
    raise: Script,
}

impl Redis {
    /// The Redis at `redis://user:password@host:port/number`; the primary that Sentinels call SERVICE, at
    /// `redis+sentinel://user:password@host:port/SERVICE/number`; or the cluster at `redis+cluster://user:password@host:port`. Over
    /// TLS they begin with `rediss`, and the system's roots are trusted. Of Sentinels and clusters further servers can be named, by
    /// `?node=host:port&node=host:port`; user, password and number belong to the primary, and those of Sentinels themselves stand there
    /// as `sentinel_user=user&sentinel_password=password`. It is connected when it is first needed, and again whenever it was lost,
    /// within the Tokio runtime that this is called in.
    pub fn new(url: &SecretString) -> Result<Self, CacheError> {
        Self::trusted_by(url, None)
    }

    /// The same, where servers that are spoken to over TLS must be certified by an authority of the file `ca` (PEM), if there is
    /// one, and not by one of the system's.
    pub fn trusted_by(url: &SecretString, ca: Option<&Path>) -> Result<Self, CacheError> {
        let connection = Connection::to(Named::by(url.expose_secret())?, ca)?;
        let scripts = Scripts {
            claim: cached::claim_script(),
            fill: cached::fill_script(),
            take: counted::take_script(),
            raise: marked::raise_script(),
        };
        Ok(Self { connection, outage: Arc::default(), scripts: Arc::new(scripts) })
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.ask(async |mut connection| redis::cmd("PING").query_async(&mut connection).await).await
    }

    /// Asks Redis, unless it failed a moment ago.
    async fn ask<T: FromRedisValue, F>(&self, question: impl FnOnce(Connection) -> F) -> Result<T, CacheError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if !self.outage.may_ask() {
            return Err(CacheError::LeftAlone);
        }
        match question(self.connection.clone()).await {
            Ok(answer) => {
                self.outage.over();
                Ok(answer)
            }
            Err(error) => {
                self.outage.failed(&error);
                Err(CacheError::Unavailable(error))
            }
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("outage", &self.outage).finish_non_exhaustive()
    }
}
