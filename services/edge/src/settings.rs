//! What an operator can set.

use std::{net::SocketAddr, time::Duration};

/// What an operator can set. The default is what the configuration's defaults say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 picks a free one.
    pub address: SocketAddr,
    /// Largest message of a REST request, in bytes: the body, or one of those in it.
    pub max_body: usize,
    /// Largest message of an answer that streams, in bytes.
    pub max_message: usize,
    /// Largest sum of a request's header fields, in bytes.
    pub max_header: usize,
    /// How long a client may take to send the header of a request.
    pub header_timeout: Duration,
    /// How long requests under way may take to finish at shutdown.
    pub drain_timeout: Duration,
    /// Connections at once; more wait in the listener's queue.
    pub max_connections: usize,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// The origins whose pages may read answers; `*` for all of them.
    pub cors_origins: Vec<String>,
    /// How often revoked sessions are asked for.
    pub revocation_interval: Duration,
    /// Without word of revoked sessions for so long, calls with credentials are refused.
    pub revocation_staleness: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_body: 4 * 1024 * 1024,
            max_message: 4 * 1024 * 1024,
            max_header: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_streams: 256,
            cors_origins: Vec::new(),
            revocation_interval: Duration::from_secs(1),
            revocation_staleness: Duration::from_secs(30),
        }
    }
}
