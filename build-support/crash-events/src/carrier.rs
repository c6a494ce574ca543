//! The server that carries events, which is killed like all others.

use clap::ValueEnum;
use weft_test_carriers::Kind;

use crate::Result;

/// What carries events between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CarrierKind {
    /// None: all work is done in one process.
    InProcess,
    Redis,
    Nats,
    Rabbitmq,
    Kafka,
}

/// Its server, which keeps what it has written.
pub(crate) enum CarrierServer {
    Redis(weft_test_redis::Server),
    Other(weft_test_carriers::Server),
}

impl CarrierServer {
    /// None for what stays in a process.
    pub(crate) fn start(kind: CarrierKind) -> Result<Option<Self>> {
        let other = match kind {
            CarrierKind::InProcess => return Ok(None),
            CarrierKind::Redis => return Ok(Some(Self::Redis(weft_test_redis::Server::durable()?))),
            CarrierKind::Nats => Kind::Nats,
            CarrierKind::Rabbitmq => Kind::RabbitMq,
            CarrierKind::Kafka => Kind::Kafka,
        };
        Ok(Some(Self::Other(weft_test_carriers::Server::start(other)?)))
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Redis(server) => server.address(),
            Self::Other(server) => server.address(),
        }
    }

    /// Kills it and starts it again.
    pub(crate) fn restart(&mut self) -> Result<()> {
        match self {
            Self::Redis(server) => server.restart()?,
            Self::Other(server) => server.restart()?,
        }
        Ok(())
    }

    /// Has it write down what is new, which not every server does at once.
    pub(crate) fn rest(&mut self) -> Result<()> {
        match self {
            Self::Redis(_) => {}
            Self::Other(server) => server.restart_in_order()?,
        }
        Ok(())
    }
}
