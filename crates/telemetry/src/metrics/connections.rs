//! The connections of clients to the edge.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why the edge ended a connection before its client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// Its address has as many as it may.
    AddressFull,
    /// The TLS handshake failed, or took too long.
    Handshake,
    /// A request's header took too long.
    Header,
    /// Nothing was asked for too long.
    Idle,
    /// Nothing of an answer was taken for too long.
    Stalled,
    /// Its client took back too many requests before they were answered.
    Resets,
}

impl ConnectionEnd {
    const fn name(self) -> &'static str {
        match self {
            Self::AddressFull => "address_full",
            Self::Handshake => "handshake",
            Self::Header => "header",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Resets => "resets",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    reason: &'static str,
}

/// The connections of clients to the edge. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct EdgeConnections {
    open: Gauge,
    ended: Family<Ended, Counter>,
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl EdgeConnections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let connections = Self::default();
        registry.register("edge_connections", "Connections of clients to the edge", connections.open.clone());
        let ended = "Connections that the edge ended before their clients did, by the limit that was reached";
        registry.register("edge_connections_ended", ended, connections.ended.clone());
        connections
    }

    /// Counts one as open.
    pub fn opened(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// Counts one that the edge ended.
    pub fn count_end(&self, end: ConnectionEnd) {
        self.ended.get_or_create(&Ended { reason: end.name() }).inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
