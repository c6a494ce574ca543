//! The connection to one server, to the primary that Sentinels name, or to a cluster.
//!
//! Problem: with Sentinels or in a cluster another server becomes the primary when one fails, and the one that was may come
//! back as a replica, which refuses changes. Rule: a connection to what Sentinels named is given up with the first failure
//! that another server might not have, and they are asked anew by whoever comes next; in a cluster the library follows its
//! servers' word. Recovery: until a primary is found, calls fail as with any Redis that is lost.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture,
    RedisResult, ServerErrorKind, TlsCertificates, TlsMode, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    cluster::{ClusterClientBuilder, ClusterConfig},
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use super::{
    ANSWER_LIMIT, CONNECT_LIMIT,
    address::{Named, SentinelLogin},
};
use crate::CacheError;

/// How long the peer's system may stay silent until the connection is given up (RFC 5482).
#[cfg(target_os = "linux")]
const SILENCE_LIMIT: std::time::Duration = std::time::Duration::from_secs(3);

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Server(ConnectionManager),
    Sentinels(Arc<Primary>),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Connects when it is first used, within the Tokio runtime that this is called in.
    pub(super) fn to(named: Named, ca: Option<&Path>) -> Result<Self, CacheError> {
        match named {
            Named::Server(server) => one(server, ca),
            Named::Sentinels { sentinels, service, login, own } => {
                let client = sentinel_client(sentinels, &service, &login, &own, ca)?;
                Ok(Self::Sentinels(Arc::new(Primary { client: tokio::sync::Mutex::new(client), current: Mutex::default() })))
            }
            Named::Cluster(nodes) => cluster(nodes, ca),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
            Self::Sentinels(primary) => Box::pin(async move {
                let mut connection = primary.connection().await?;
                primary.heed(connection.req_packed_command(command).await)
            }),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
            Self::Sentinels(primary) => Box::pin(async move {
                let mut connection = primary.connection().await?;
                primary.heed(connection.req_packed_commands(pipeline, offset, count).await)
            }),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
            // What Sentinels lead to is logged in to its number with each connection.
            Self::Sentinels(_) => 0,
        }
    }
}

/// The primary that Sentinels name, and the connection to it.
pub(super) struct Primary {
    client: tokio::sync::Mutex<SentinelClient>,
    current: Mutex<Option<MultiplexedConnection>>,
}

impl Primary {
    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        if let Some(connection) = self.current().clone() {
            return Ok(connection);
        }
        let find = async {
            // One asks for all; the others find what it found.
            let mut client = self.client.lock().await;
            if let Some(connection) = self.current().clone() {
                return Ok(connection);
            }
            let config =
                AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_LIMIT)).set_response_timeout(Some(ANSWER_LIMIT));
            let connection = client.get_async_connection_with_config(&config).await?;
            *self.current() = Some(connection.clone());
            Ok(connection)
        };
        let late = |_| Err(RedisError::from((ErrorKind::Io, "no primary was found in time")));
        timeout(CONNECT_LIMIT, find).await.unwrap_or_else(late)
    }

    /// Gives the connection up where another server might do better.
    fn heed<T>(&self, answer: RedisResult<T>) -> RedisResult<T> {
        answer.inspect_err(|error| {
            let is_replica = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
            if is_replica || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error() {
                *self.current() = None;
            }
        })
    }

    fn current(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one(server: ConnectionInfo, ca: Option<&Path>) -> Result<Connection, CacheError> {
    let server = server.set_tcp_settings(tcp_settings());
    let client = match trusted(ca, server.addr())? {
        None => Client::open(server).map_err(|_| CacheError::Address)?,
        // Nothing else of it can be wrong: the file was read.
        Some(trusted) => Client::build_with_tls(server, trusted).map_err(|_| CacheError::Address)?,
    };
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT))
        // Whoever asks next tries again; nobody waits for several attempts.
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client, config).map(Connection::Server).map_err(CacheError::Unavailable)
}

/// What Sentinels ask for is not what the primary asks for.
fn sentinel_client(
    sentinels: Vec<ConnectionAddr>,
    service: &str,
    login: &ConnectionInfo,
    own: &SentinelLogin,
    ca: Option<&Path>,
) -> Result<SentinelClient, CacheError> {
    let certificates = trusted(ca, login.addr())?;
    let encrypted = is_encrypted(login.addr());
    let primary = login.redis_settings();
    let mut builder = SentinelClientBuilder::new(sentinels, service, SentinelServerType::Master)
        .map_err(|_| CacheError::Address)?
        .set_client_to_redis_db(primary.db())
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings());
    if encrypted {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(user) = primary.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = primary.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(user) = &own.user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = &own.password {
        builder = builder.set_client_to_sentinel_password(password.expose_secret());
    }
    if let Some(certificates) = certificates {
        builder =
            builder.set_client_to_redis_certificates(certificates.clone()).set_client_to_sentinel_certificates(certificates);
    }
    builder.build().map_err(|_| CacheError::Address)
}

fn cluster(nodes: Vec<ConnectionInfo>, ca: Option<&Path>) -> Result<Connection, CacheError> {
    let certificates = nodes.first().map(|node| trusted(ca, node.addr())).transpose()?.flatten();
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(CONNECT_LIMIT)
        .response_timeout(ANSWER_LIMIT)
        // Where a key has moved is learned by asking the wrong server.
        .overall_response_timeout(Some(CONNECT_LIMIT))
        .tcp_settings(tcp_settings());
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    let client = builder.build().map_err(|_| CacheError::Address)?;
    Ok(Connection::Cluster(client.get_pending_async_connection_with_config(ClusterConfig::default())))
}

/// The authorities of the file, if one is named.
fn trusted(ca: Option<&Path>, server: &ConnectionAddr) -> Result<Option<TlsCertificates>, CacheError> {
    let Some(file) = ca else { return Ok(None) };
    if !is_encrypted(server) {
        return Err(CacheError::NotOverTls);
    }
    let unreadable = || CacheError::Authority { file: file.to_owned() };
    let authorities = fs::read(file).map_err(|_| unreadable())?;
    // A file without any would be taken, and then nobody trusted.
    if CertificateDer::pem_slice_iter(&authorities).next().is_none_or(|certificate| certificate.is_err()) {
        return Err(unreadable());
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(authorities) }))
}

fn is_encrypted(server: &ConnectionAddr) -> bool {
    matches!(server, ConnectionAddr::TcpTls { .. })
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(SILENCE_LIMIT);
    settings
}
