//! What an operator can set.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;

use crate::TlsFiles;

/// What an operator can set. The default is what the configuration's defaults say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 picks a free one.
    pub address: SocketAddr,
    /// The certificate that clients are shown; without one they speak plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Largest message of a REST request, in bytes: the body, or one of those in it.
    pub max_body: usize,
    /// Largest message of an answer that streams, in bytes.
    pub max_message: usize,
    /// Largest sum of a request's header fields, in bytes.
    pub max_header: usize,
    /// Longest path and query together, in bytes.
    pub max_url: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a client may take to send the header of a request.
    pub header_timeout: Duration,
    /// How long a connection may stay without a request, or with an answer that its client does not take.
    pub idle_timeout: Duration,
    /// How long requests under way may take to finish at shutdown.
    pub drain_timeout: Duration,
    /// Connections at once; more wait in the listener's queue.
    pub max_connections: usize,
    /// Connections at once from one address, or one network of 64 bits in IPv6; 0 for no bound. Trusted proxies have none.
    pub max_connections_per_address: usize,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// Requests that the client of a connection may take back before they are answered, if they are more than half.
    pub max_resets: u64,
    /// The networks of proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether `/openapi.json` and `/docs` describe what is served.
    pub reference: bool,
    /// The origins whose pages may read answers; `*` for all of them.
    pub cors_origins: Vec<String>,
    /// How often an edge that stands alone looks for another schema.
    pub schema_interval: Duration,
    /// How often revoked sessions are asked for.
    pub revocation_interval: Duration,
    /// Without word of revoked sessions for so long, calls with credentials are refused.
    pub revocation_staleness: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            max_body: 4 * 1024 * 1024,
            max_message: 4 * 1024 * 1024,
            max_header: 64 * 1024,
            max_url: 8 * 1024,
            max_headers: 64,
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_connections_per_address: 1024,
            max_streams: 256,
            max_resets: 500,
            trusted_proxies: Vec::new(),
            reference: true,
            cors_origins: Vec::new(),
            schema_interval: Duration::from_secs(2),
            revocation_interval: Duration::from_secs(1),
            revocation_staleness: Duration::from_secs(30),
        }
    }
}
