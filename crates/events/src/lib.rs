//! Events: from the transaction that causes them to the one that handles them.
//!
//! # Problem
//!
//! What happens in one domain matters to others. A message that is sent before the commit tells of
//! what may never be; one that is sent after it is lost with the process; one that comes twice makes
//! its effect twice; and two that overtake each other tell a story that never was.
//!
//! # Rule
//!
//! - [`weft_store::Tx::publish`] writes an event with the change that causes it.
//! - One [`Relay`] a domain, leased and fenced, gives committed events their places in the domain's
//!   log and hands them to a [`Carrier`] in that order.
//! - One [`Consumer`] a domain, leased and fenced, takes what its handlers subscribe to. It records an
//!   event in the transaction that handles it: effects happen once, and events of one key in order.
//! - What cannot be handled is deferred with all that follows it of the same key, tried again, and
//!   parked when trying is of no use; other keys flow.
//!
//! # Recovery
//!
//! Whatever dies: events that were not sent are sent again, those that were not acknowledged come
//! again, those that were handled are recognised. A parked key waits for somebody to say
//! [`deferred::replay`].

mod carrier;
mod consumer;
pub mod deferred;
mod envelope;
mod in_process;
mod kafka;
mod lease;
pub mod log;
mod nats;
mod positions;
mod rabbitmq;
mod reader;
mod redis;
mod relay;
#[cfg(feature = "sabotage")]
mod sabotage;
mod tls;

pub use carrier::{Carrier, CarrierError, Source, Subscription, connect, connect_trusted_by};
pub use consumer::{Consumer, Handle, Handler, expire_handled};
pub use envelope::{ENVELOPE_LIMIT, Envelope, EnvelopeError};
pub use in_process::InProcess;
pub use kafka::Kafka;
pub use lease::{LEASE, Together};
pub use nats::Nats;
pub use positions::Positions;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use relay::Relay;
use weft_store::{SchemaPart, migrations};

/// What relays and consumers keep in a domain's database, for [`weft_store::DomainSchema::part`].
pub fn schema_part() -> SchemaPart {
    SchemaPart::new("weft_events")
        .migrations(migrations!())
        .statements(lease::STATEMENTS)
        .statements(log::STATEMENTS)
        .statements(positions::STATEMENTS)
        .statements(relay::STATEMENTS)
        .statements(consumer::STATEMENTS)
        .statements(deferred::STATEMENTS)
}
