//! Entries and counters in Redis, for all processes.
//!
//! Rule: each operation is atomic, one command or one script, on one key. A server that does not
//! answer costs a call at most [`CONNECT_LIMIT`] and [`ANSWER_LIMIT`], and is then left alone for a
//! moment (see [`outage`]). Redis 6.2 or newer, or Valkey.

mod cached;
mod counted;
mod ephemeral;
mod marked;
mod outage;

use std::{fmt, fs, path::Path, sync::Arc, time::Duration};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo, RedisResult, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::{ExposeSecret, SecretString};

use crate::CacheError;

use outage::Outage;

/// How long connecting may take, TLS and login included.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// How long the peer's system may stay silent until the connection is given up (RFC 5482).
#[cfg(target_os = "linux")]
const SILENCE_LIMIT: Duration = Duration::from_secs(3);

/// Entries and counters in one Redis. Clones share a connection.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
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
    /// The Redis at `redis://` or, over TLS with the system's roots, `rediss://user:password@host:port/number`.
    /// It is connected when it is first needed, and again whenever it was lost, within the Tokio
    /// runtime that this is called in.
    pub fn new(url: &SecretString) -> Result<Self, CacheError> {
        Self::trusted_by(url, None)
    }

    /// The same, where a server at a `rediss://` address must be certified by an authority of the file `ca` (PEM), if there
    /// is one, and not by one of the system's.
    pub fn trusted_by(url: &SecretString, ca: Option<&Path>) -> Result<Self, CacheError> {
        // The library's error is dropped: it may repeat the password.
        let address = url.expose_secret().into_connection_info().map_err(|_| CacheError::Address)?;
        let client = client(address.set_tcp_settings(tcp_settings()), ca)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT))
            // Whoever asks next tries again; nobody waits for several attempts.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(CacheError::Unavailable)?;
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
    async fn ask<T: FromRedisValue, F>(&self, question: impl FnOnce(ConnectionManager) -> F) -> Result<T, CacheError>
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

fn client(address: ConnectionInfo, ca: Option<&Path>) -> Result<Client, CacheError> {
    let Some(file) = ca else { return Client::open(address).map_err(|_| CacheError::Address) };
    if !matches!(address.addr(), ConnectionAddr::TcpTls { .. }) {
        return Err(CacheError::NotOverTls);
    }
    let unreadable = || CacheError::Authority { file: file.to_owned() };
    let authorities = fs::read(file).map_err(|_| unreadable())?;
    // A file without any would be taken, and then nobody trusted.
    if CertificateDer::pem_slice_iter(&authorities).next().is_none() {
        return Err(unreadable());
    }
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(authorities) };
    Client::build_with_tls(address, trusted).map_err(|_| unreadable())
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(SILENCE_LIMIT);
    settings
}
