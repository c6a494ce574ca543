//! Ports for one agent.

use std::{io, net::TcpListener};

use serde_json::{Value, json};

/// The ports that an agent cannot do without.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) dns: u16,
    server: u16,
    serf: u16,
}

impl Ports {
    /// Ports that nobody listens on at this moment, all different.
    pub(crate) fn free() -> io::Result<Self> {
        let held: Vec<_> = (0..5).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<io::Result<_>>()?;
        let port = |index: usize| held[index].local_addr().map(|address| address.port());
        Ok(Self { http: port(0)?, https: port(1)?, dns: port(2)?, server: port(3)?, serf: port(4)? })
    }

    /// The member `ports` of the agent's configuration. What tests do not need is off.
    pub(crate) fn configuration(&self) -> Value {
        let Self { http, https, dns, server, serf } = self;
        json!({"http": http, "https": https, "server": server, "serf_lan": serf, "serf_wan": -1, "dns": dns, "grpc": -1})
    }
}
